//! One exchange, bounded in bytes and in time.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::{Certificate, Client, RequestBuilder, redirect};
use thiserror::Error;

use super::{
    endpoint::{Http, InvalidEndpoint, Network},
    reach::Within,
};

/// A client that calls what its [`Network`] allows.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub(crate) client: Client,
    pub(crate) network: Network,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    #[cfg_attr(
        not(feature = "jwks"),
        expect(dead_code, reason = "only keys say how long they are fresh")
    )]
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Nothing came back that could be read.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    #[error("the exchange failed")]
    Transport(#[source] reqwest::Error),
    #[error("the answer is above {0} bytes")]
    TooLarge(usize),
}

impl Outbound {
    pub(crate) fn new(network: Network) -> Result<Self, InvalidEndpoint> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            // A proxy of the environment would be told where to connect to, past the check of the addresses.
            .no_proxy()
            .user_agent(concat!("msf-auth/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(network.timeout)
            .timeout(network.timeout)
            .dns_resolver(Within {
                reach: network.reach,
                is_loopback_open: network.http == Http::Loopback,
            });
        for pem in &network.roots {
            let roots = Certificate::from_pem_bundle(pem)
                .map_err(|error| InvalidEndpoint::Certificate(error.into()))?;
            if roots.is_empty() {
                return Err(InvalidEndpoint::Certificate("there is none".into()));
            }
            builder = roots
                .into_iter()
                .fold(builder, |b, root| b.add_root_certificate(root));
        }
        let client = builder
            .build()
            .map_err(|error| InvalidEndpoint::Client(error.into()))?;
        Ok(Self { client, network })
    }
}

impl Answer {
    /// Sends a request and reads what comes back up to a number of bytes.
    pub(crate) async fn to(
        request: RequestBuilder,
        bytes_max: usize,
    ) -> Result<Self, ExchangeError> {
        let mut response = request.send().await.map_err(transport)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(ExchangeError::TooLarge(bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self {
            status,
            headers,
            body: body.freeze(),
        })
    }
}

/// What went wrong, and where, without what the address may have for a secret.
fn transport(mut error: reqwest::Error) -> ExchangeError {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
    }
    ExchangeError::Transport(error)
}
