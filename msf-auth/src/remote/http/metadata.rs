//! The document in which an issuer says where its keys are.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use msf_core::clock;
use reqwest::Url;
use serde::Deserialize;
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    outbound::{InvalidEndpoint, Network, Origin},
    token::json::Strict,
};

/// A discovery document that is not believed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// It is not JSON with `issuer` and `jwks_uri`, or has a member twice.
    #[error("the discovery document is not readable")]
    Json(#[source] serde_json::Error),
    /// Its `issuer` is not the one that was asked for, to the letter.
    #[error("the discovery document is of another issuer")]
    Issuer,
    /// Its `jwks_uri` may not be called.
    #[error("the discovery document names an address that is not called")]
    JwksUri(#[source] InvalidEndpoint),
}

/// Where the keys of an issuer are, as it said last.
pub(super) struct Discovery {
    issuer: Box<str>,
    pub(super) url: Url,
    origins: Vec<Origin>,
    found: Mutex<Option<Found>>,
}

/// One good discovery and when it was.
pub(super) struct Found {
    pub(super) url: Url,
    at: Instant,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Addresses of keys change once in years.
const FOUND_FOR: Duration = Duration::from_secs(3_600);

/// Where the document of an issuer is (`OpenID` Connect Discovery 1.0 section 4).
pub(super) fn address_of(issuer: &str, base: &Url) -> Result<Url, InvalidEndpoint> {
    if base.query().is_some() {
        return Err(InvalidEndpoint::Part);
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    Url::parse(&format!("{base}/.well-known/openid-configuration"))
        .map_err(|error| InvalidEndpoint::Syntax(error.into()))
}

impl Discovery {
    pub(super) const fn new(issuer: Box<str>, url: Url, origins: Vec<Origin>) -> Self {
        Self {
            issuer,
            url,
            origins,
            found: Mutex::new(None),
        }
    }

    /// What was found lately, taken out: who uses it brings it [back](Self::keep) if it was of use, so that a fetch from
    /// there that fails or is cut off is followed by a new discovery.
    pub(super) fn take(&self) -> Option<Found> {
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let age = clock::now().saturating_duration_since(found.at);
        (age < FOUND_FOR).then_some(found)
    }

    pub(super) fn keep(&self, found: Found) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// The address of the keys in a document.
    pub(super) fn read(&self, document: &[u8], network: &Network) -> Result<Found, DiscoveryError> {
        let Strict(value) = serde_json::from_slice(document).map_err(DiscoveryError::Json)?;
        let document = Document::deserialize(value).map_err(DiscoveryError::Json)?;
        if *document.issuer != *self.issuer {
            return Err(DiscoveryError::Issuer);
        }
        let url = network
            .endpoint(&document.jwks_uri)
            .map_err(DiscoveryError::JwksUri)?;
        if self.origins.contains(&Origin::of(&url)) {
            let at = clock::now();
            return Ok(Found { url, at });
        }
        let host = url.host_str().unwrap_or_default().into();
        Err(DiscoveryError::JwksUri(InvalidEndpoint::Host(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example/tenant";

    fn read(document: &str) -> Result<String, DiscoveryError> {
        let base = Url::parse(ISSUER).unwrap();
        let origins = vec![Origin::of(&base), Origin::parse("keys.example").unwrap()];
        let url = address_of(ISSUER, &base).unwrap();
        let discovery = Discovery::new(ISSUER.into(), url, origins);
        let found = discovery.read(document.as_bytes(), &Network::DEFAULT);
        found.map(|found| found.url.into())
    }

    fn document(issuer: &str, jwks_uri: &str) -> String {
        serde_json::json!({ "issuer": issuer, "jwks_uri": jwks_uri, "claims": [1] }).to_string()
    }

    #[test]
    fn the_document_is_below_the_issuer() {
        let of = |issuer: &str| {
            let base = Url::parse(issuer).unwrap();
            address_of(issuer, &base).map(String::from)
        };
        let at_root = "https://id.example/.well-known/openid-configuration";
        assert_eq!(of("https://id.example").unwrap(), at_root);
        assert_eq!(of("https://id.example/").unwrap(), at_root);
        assert_eq!(
            of("https://id.example/a/b/").unwrap(),
            "https://id.example/a/b/.well-known/openid-configuration"
        );
        assert!(of("https://id.example/?tenant=1").is_err());
    }

    #[test]
    fn keys_are_where_the_issuer_or_we_say() {
        for uri in ["https://id.example/keys", "https://keys.example/v1?x=1"] {
            assert_eq!(read(&document(ISSUER, uri)).unwrap(), uri);
        }
        for uri in [
            "https://evil.example/keys",
            "https://id.example.evil.example/keys",
            "https://id.example:8443/keys",
            "http://id.example/keys",
            "https://id.example@evil.example/keys",
            "https://a:b@id.example/keys",
            "https://169.254.169.254/keys",
            "file:///etc/passwd",
            "/keys",
            "",
        ] {
            let outcome = read(&document(ISSUER, uri));
            assert!(matches!(outcome, Err(DiscoveryError::JwksUri(_))), "{uri}");
        }
    }

    #[test]
    fn the_issuer_is_the_same_to_the_letter() {
        for issuer in [
            "https://id.example/tenant/",
            "https://id.example/Tenant",
            "https://ID.example/tenant",
            "https://id.example",
            "",
        ] {
            let outcome = read(&document(issuer, "https://id.example/keys"));
            assert!(matches!(outcome, Err(DiscoveryError::Issuer)), "{issuer}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for json in [
            "",
            "[]",
            "<html>",
            r#"{"issuer":"https://id.example/tenant"}"#,
            r#"{"issuer":["https://id.example/tenant"],"jwks_uri":"https://id.example/keys"}"#,
            r#"{"issuer":"https://id.example/tenant","issuer":"x","jwks_uri":"https://id.example/keys"}"#,
        ] {
            assert!(matches!(read(json), Err(DiscoveryError::Json(_))), "{json}");
        }
    }
}
