//! Key sets over HTTPS.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{Client, Url, redirect};
use thiserror::Error;

use super::{JwksFetchError, JwksSource};

/// Fetches a key set over HTTPS: no redirects, at most 512 KiB, at most 2 s.
///
/// ```
/// use msf_auth::{HttpJwks, RemoteKeys};
///
/// let keys = RemoteKeys::new(HttpJwks::new("https://id.example/.well-known/jwks.json")?);
/// assert!(!keys.is_usable());
/// assert!(HttpJwks::new("http://id.example/jwks.json").is_err());
/// # Ok::<(), msf_auth::InvalidJwksUrl>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpJwks {
    client: Client,
    url: Url,
}

/// The address of a key set cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidJwksUrl {
    /// It is not a URL.
    #[error("the address of the key set is not a URL")]
    Syntax(#[source] msf_core::BoxError),
    /// It is not `https`: who can change the answer on its way can sign tokens.
    #[error("the address of the key set is not https")]
    NotHttps,
    /// The TLS client could not be set up.
    #[error("the client for the key set could not be set up")]
    Client(#[source] msf_core::BoxError),
}

impl HttpJwks {
    /// A source for an `https` address.
    ///
    /// # Errors
    ///
    /// [`InvalidJwksUrl`] for any other address.
    pub fn new(url: &str) -> Result<Self, InvalidJwksUrl> {
        let source = Self::danger_any_scheme(url)?;
        match source.url.scheme() {
            "https" => Ok(source),
            _ => Err(InvalidJwksUrl::NotHttps),
        }
    }

    /// A source that also takes `http`, for tests and for networks where nobody can change an answer.
    ///
    /// # Errors
    ///
    /// [`InvalidJwksUrl`] for what is not a URL.
    pub fn danger_any_scheme(url: &str) -> Result<Self, InvalidJwksUrl> {
        let url = Url::parse(url).map_err(|e| InvalidJwksUrl::Syntax(e.into()))?;
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|e| InvalidJwksUrl::Client(e.into()))?;
        Ok(Self { client, url })
    }
}

#[async_trait]
impl JwksSource for HttpJwks {
    async fn fetch(&self) -> Result<Bytes, JwksFetchError> {
        let request = self.client.get(self.url.clone());
        let mut response = request.send().await.map_err(JwksFetchError::new)?;
        // Not `error_for_status`: a redirect, which is not followed, is no error to it.
        if response.status() != reqwest::StatusCode::OK {
            return Err(JwksFetchError::new(format!(
                "answered with {}",
                response.status()
            )));
        }
        let mut document = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(JwksFetchError::new)? {
            if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(JwksFetchError::new("the document is above 512 KiB"));
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document.freeze())
    }
}

/// As that of a fetch: the whole exchange, not each part of it.
const TIMEOUT: Duration = Duration::from_secs(2);
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
