//! An endpoint that is called in our own name.

use std::fmt;

use http::{
    HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use msf_core::{BoxError, config::Secret};
use reqwest::Url;
use tokio::time;

use super::{Answer, FORM, InvalidEndpoint, Network, Outbound, basic, endpoint::shown};

/// Where an endpoint is, who we are there, and how far a call may go: what the builders of its callers have in common.
pub(crate) struct Settings {
    address: Box<str>,
    pub(crate) client: Option<(Box<str>, Secret<String>)>,
    pub(crate) network: Network,
}

/// An endpoint that can be called.
pub(crate) struct Endpoint {
    outbound: Outbound,
    url: Url,
    authorization: HeaderValue,
}

/// What of the settings is missing.
pub(crate) enum Invalid {
    Endpoint(InvalidEndpoint),
    NoClient,
}

impl From<InvalidEndpoint> for Invalid {
    fn from(error: InvalidEndpoint) -> Self {
        Self::Endpoint(error)
    }
}

impl Settings {
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.into(),
            client: None,
            network: Network::DEFAULT,
        }
    }

    pub(crate) fn endpoint(self) -> Result<Endpoint, Invalid> {
        let url = self.network.endpoint(&self.address)?;
        let (id, secret) = self.client.ok_or(Invalid::NoClient)?;
        if id.is_empty() || secret.expose().is_empty() {
            return Err(Invalid::NoClient);
        }
        let authorization = basic(&id, &secret).map_err(|_| Invalid::NoClient)?;
        Ok(Endpoint {
            outbound: Outbound::new(self.network)?,
            url,
            authorization,
        })
    }
}

impl Endpoint {
    /// Sends a form, and reads an answer of at most so many bytes in the time that the network allows.
    pub(crate) async fn post(
        &self,
        form: impl Into<reqwest::Body>,
        bytes_max: usize,
    ) -> Result<Answer, BoxError> {
        let request = self
            .outbound
            .client
            .post(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, FORM)
            .header(ACCEPT, "application/json")
            .body(form);
        let exchange = Answer::to(request, bytes_max);
        Ok(time::timeout(self.outbound.network.timeout, exchange).await??)
    }

    /// Its address, for people.
    pub(crate) fn shown(&self) -> String {
        shown(&self.url)
    }
}

/// Without the secret, and of the address what is certain to have none.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Url::parse(&self.address).map(|url| shown(&url));
        f.debug_struct("Settings")
            .field("address", &address.unwrap_or_default())
            .field("client", &self.client)
            .field("network", &self.network)
            .finish()
    }
}

/// The setters that the builders of callers have in common; their settings are in the field `server`.
macro_rules! setters {
    () => {
        /// The name and the secret that we ask with, sent in the header (`client_secret_basic`). Required.
        pub fn client(mut self, id: impl Into<Box<str>>, secret: Secret<String>) -> Self {
            self.server.client = Some((id.into(), secret));
            self
        }

        /// Takes `http` to this machine (`localhost`, `127.0.0.0/8`, `::1`), for tests and sidecars.
        pub const fn allow_http_loopback(mut self) -> Self {
            self.server.network.allow_http_loopback();
            self
        }

        /// Takes addresses of the own network, for servers that run beside the service.
        pub const fn allow_private_addresses(mut self) -> Self {
            self.server.network.allow_private_addresses();
            self
        }

        /// Certificate authorities in PEM that are trusted besides those of the system.
        pub fn root_certificates(mut self, pem: &[u8]) -> Self {
            self.server.network.roots.push(pem.into());
            self
        }

        /// How long one request may take; default 2 s.
        pub const fn timeout(mut self, timeout: Duration) -> Self {
            self.server.network.timeout = timeout;
            self
        }

        /// Where the wall time comes from; for tests.
        pub const fn clock(mut self, clock: WallClock) -> Self {
            self.clock = clock;
            self
        }

        /// Counts what becomes of requests in `metrics`.
        pub fn metrics(mut self, metrics: &Metrics) -> Self {
            self.metrics = Some(metrics.clone());
            self
        }
    };
}

pub(crate) use setters;
