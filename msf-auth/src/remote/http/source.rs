//! The source itself.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use http::{StatusCode, header::ACCEPT};
use reqwest::Url;

use super::{HttpJwksBuilder, freshness, metadata::Discovery};
use crate::{
    outbound::{Answer, InvalidEndpoint, Outbound, shown},
    remote::{JwksDocument, JwksFetchError, JwksSource},
};

/// Fetches a key set over HTTPS, at a known address or at the one that the issuer names.
///
/// No redirects, no proxy, no private addresses unless they are [allowed](HttpJwksBuilder), at most 512 KiB and 2 s.
/// How long a set is used is what `Cache-Control` says, between a minute and an hour.
///
/// ```
/// use msf_auth::{HttpJwks, RemoteKeys};
///
/// let keys = RemoteKeys::new(HttpJwks::new("https://id.example/.well-known/jwks.json")?);
/// assert!(!keys.is_usable());
/// assert!(HttpJwks::new("http://id.example/jwks.json").is_err());
///
/// let discovered = RemoteKeys::new(HttpJwks::discover("https://id.example/tenant")?);
/// assert!(HttpJwks::discover("https://169.254.169.254").is_err());
/// # Ok::<(), msf_auth::InvalidEndpoint>(())
/// ```
#[derive(Clone)]
pub struct HttpJwks(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    location: Location,
}

pub(super) enum Location {
    Known(Url),
    Discovered(Discovery),
}

/// As that of [`KeySet::parse`](crate::KeySet::parse).
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Discovery documents have 2 to 10 KiB.
const METADATA_BYTES_MAX: usize = 64 * 1024;

impl HttpJwks {
    /// A source at an `https` address.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for any other address.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::at(url).build()
    }

    /// A source that asks the issuer where its keys are (`OpenID` Connect Discovery 1.0).
    ///
    /// The document's `issuer` has to be this text to the letter, and its `jwks_uri` at the same host and port.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for an issuer that is no `https` address.
    pub fn discover(issuer: &str) -> Result<Self, InvalidEndpoint> {
        Self::discovery(issuer).build()
    }

    /// As [`new`](Self::new), with settings.
    pub fn at(url: &str) -> HttpJwksBuilder {
        HttpJwksBuilder::at(url)
    }

    /// As [`discover`](Self::discover), with settings.
    pub fn discovery(issuer: &str) -> HttpJwksBuilder {
        HttpJwksBuilder::discovery(issuer)
    }

    /// A source that also takes `http` and any address, for tests and for networks where nobody can change an answer.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for what is no URL of `http` or `https`.
    pub fn danger_any_scheme(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::at(url).allow_anything().build()
    }

    pub(super) fn assemble(outbound: Outbound, location: Location) -> Self {
        Self(Arc::new(Inner { outbound, location }))
    }
}

#[async_trait]
impl JwksSource for HttpJwks {
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
        let Inner { outbound, location } = &*self.0;
        match location {
            Location::Known(url) => outbound.key_set(url).await,
            Location::Discovered(discovery) => {
                if let Some(found) = discovery.take() {
                    let document = outbound.key_set(&found.url).await?;
                    discovery.keep(found);
                    return Ok(document);
                }
                let answer = outbound.get(&discovery.url, METADATA_BYTES_MAX).await?;
                let found = discovery
                    .read(&answer.body, &outbound.network)
                    .map_err(JwksFetchError::new)?;
                let url = found.url.clone();
                // Before it was of use: of an issuer whose two answers take longer together than a fetch may, the
                // next fetch has to ask for the second only, or there would never be keys.
                discovery.keep(found);
                let document = outbound.key_set(&url).await;
                if document.is_err() {
                    discovery.take();
                }
                document
            }
        }
    }
}

impl Outbound {
    async fn key_set(&self, url: &Url) -> Result<JwksDocument, JwksFetchError> {
        let answer = self.get(url, DOCUMENT_BYTES_MAX).await?;
        let document = JwksDocument::from(answer.body);
        Ok(match freshness::of(&answer.headers) {
            Some(fresh_for) => document.fresh_for(fresh_for),
            None => document,
        })
    }

    async fn get(&self, url: &Url, bytes_max: usize) -> Result<Answer, JwksFetchError> {
        let request = self.client.get(url.clone());
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let answer = Answer::to(request, bytes_max)
            .await
            .map_err(JwksFetchError::new)?;
        // A redirect, which is not followed, is no answer either.
        if answer.status != StatusCode::OK {
            return Err(JwksFetchError::new(format!(
                "answered with {}",
                answer.status
            )));
        }
        Ok(answer)
    }
}

/// Without what an address may have for a secret.
impl fmt::Debug for HttpJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match &self.0.location {
            Location::Known(url) => url,
            Location::Discovered(discovery) => &discovery.url,
        };
        f.debug_struct("HttpJwks")
            .field("address", &shown(url))
            .field("network", &self.0.outbound.network)
            .finish_non_exhaustive()
    }
}
