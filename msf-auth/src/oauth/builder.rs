//! What the endpoints have to know.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::Uri;
use msf_core::metrics::Metrics;

use super::{Clients, InvalidOAuth, OAuth, Subjects, metadata, metrics::OAuthMetrics};
use crate::{
    audit::Audit,
    issue::{TokenIssuer, is_own_claim},
    refresh::RefreshTokens,
    revocation::Revocations,
    verify::Verifier,
};

/// Collects what the endpoints of an authorization server have to know. Made by [`OAuth::builder`].
#[must_use]
pub struct OAuthBuilder {
    issuer: TokenIssuer,
    clients: Option<Arc<dyn Clients>>,
    subjects: Option<Arc<dyn Subjects>>,
    refresh: Option<RefreshTokens>,
    verifier: Option<Verifier>,
    revocations: Option<Revocations>,
    carried: Vec<Box<str>>,
    audit: Audit,
    metrics: Option<Metrics>,
}

pub(super) struct Shared {
    pub(super) issuer: TokenIssuer,
    pub(super) clients: Arc<dyn Clients>,
    pub(super) subjects: Option<Arc<dyn Subjects>>,
    pub(super) refresh: Option<RefreshTokens>,
    pub(super) verifier: Option<Verifier>,
    pub(super) revocations: Option<Revocations>,
    pub(super) carried: Vec<Box<str>>,
    pub(super) audit: Audit,
    pub(super) metrics: OAuthMetrics,
    /// The path of the issuer, without a slash at the end.
    pub(super) base: Box<str>,
    pub(super) metadata: Bytes,
}

/// What an exchanged token says about the session that its subject began.
const CARRIED: [&str; 5] = ["sid", "auth_time", "acr", "amr", "tenant"];

impl OAuthBuilder {
    pub(super) fn new(issuer: TokenIssuer) -> Self {
        Self {
            issuer,
            clients: None,
            subjects: None,
            refresh: None,
            verifier: None,
            revocations: None,
            carried: CARRIED.map(Into::into).to_vec(),
            audit: Audit::log(),
            metrics: None,
        }
    }

    /// Who may ask for tokens. Required.
    pub fn clients(mut self, clients: impl Clients) -> Self {
        self.clients = Some(Arc::new(clients));
        self
    }

    /// Who is asked about users whenever their tokens are refreshed; default nobody.
    pub fn subjects(mut self, subjects: impl Subjects) -> Self {
        self.subjects = Some(Arc::new(subjects));
        self
    }

    /// Offers the grant `refresh_token`.
    pub fn refresh_tokens(mut self, refresh: RefreshTokens) -> Self {
        self.refresh = Some(refresh);
        self
    }

    /// Offers introspection and token exchange, for tokens of this issuer that this verifier accepts. It has to trust the
    /// issuer for all audiences that ask, by keys that follow it: those of a set are the ones of now, and after a rotation
    /// no token would be good.
    ///
    /// ```
    /// use msf_auth::{
    ///     RemoteKeys, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    ///     oauth::{MemoryClients, OAuth},
    /// };
    ///
    /// # fn main() -> Result<(), msf_core::BoxError> {
    /// let issuer = TokenIssuer::new("https://id.shop", SigningKey::generate_ed25519()?);
    /// let trusted = TrustedIssuer::new("https://id.shop", RemoteKeys::new(issuer.clone()))
    ///     .audience("order")
    ///     .users()
    ///     .any_service();
    /// let oauth = OAuth::builder(issuer)
    ///     .clients(MemoryClients::new())
    ///     .verifier(Verifier::builder().issuer(trusted).build()?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn verifier(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Takes access tokens back, by telling this list: one that its client revokes, and all of a session that ends here,
    /// be it that its refresh token is revoked, that it comes back after it was used, or that its user is gone.
    ///
    /// It has to be that of the [verifier](Self::verifier). Verifiers of other processes do not hear of it by themselves.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// A further claim that exchanged tokens take over, beside `sid`, `auth_time`, `acr`, `amr` and `tenant`. None that
    /// the issuer sets itself, and not `act`.
    pub fn carry(mut self, claim: impl Into<Box<str>>) -> Self {
        self.carried.push(claim.into());
        self
    }

    /// Where events go; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts in these metrics.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The endpoints.
    ///
    /// # Errors
    ///
    /// [`InvalidOAuth`] for an issuer that has no address, without clients, or for a claim that cannot be carried.
    pub fn build(self) -> Result<OAuth, InvalidOAuth> {
        // Taken over, it would say that nobody acts, or who acted before.
        let mut carried = self.carried.iter();
        if let Some(name) = carried.find(|name| is_own_claim(name) || ***name == *"act") {
            return Err(InvalidOAuth::Carried(name.clone()));
        }
        let clients = self.clients.ok_or(InvalidOAuth::NoClients)?;
        let base: Box<str> = base(self.issuer.issuer())
            .map(Into::into)
            .ok_or_else(|| InvalidOAuth::Issuer(self.issuer.issuer().into()))?;
        let metrics = match &self.metrics {
            Some(metrics) => OAuthMetrics::new(metrics)?,
            None => OAuthMetrics::noop(),
        };
        let metadata = metadata::document(
            &self.issuer,
            self.refresh.is_some(),
            self.verifier.is_some(),
        );
        Ok(OAuth(Arc::new(Shared {
            metadata: Bytes::from(metadata.to_string()),
            issuer: self.issuer,
            clients,
            subjects: self.subjects,
            refresh: self.refresh,
            verifier: self.verifier,
            revocations: self.revocations,
            carried: self.carried,
            audit: self.audit,
            metrics,
            base,
        })))
    }
}

impl fmt::Debug for OAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthBuilder")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The path of an issuer that is an address.
fn base(issuer: &str) -> Option<&str> {
    let uri: Uri = issuer.parse().ok()?;
    let host = uri.host()?;
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let is_safe = match uri.scheme_str()? {
        "https" => true,
        "http" => is_here,
        _ => false,
    };
    // `Uri` drops a fragment. Only characters that are one text in every encoding, and no parameter of a route.
    let after_scheme = issuer.split_once("://")?.1;
    let path = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
    let is_plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~'))
        && !path.ends_with('/')
        && !path.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    let has_more = issuer.contains(['#', '?', '@']);
    (is_safe && is_plain && !has_more).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_address_without_anything_to_misread() {
        assert_eq!(base("https://id.shop"), Some(""));
        assert_eq!(base("https://id.shop/eu/1"), Some("/eu/1"));
        assert_eq!(base("http://127.0.0.1:8080"), Some(""));
        assert_eq!(base("http://[::1]:8080/a"), Some("/a"));
        for issuer in [
            "",
            "shop",
            "http://id.shop",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "ftp://id.shop",
            "https://id.shop/",
            "https://id.shop/a/",
            "https://id.shop?a=b",
            "https://id.shop/#a",
            "https://id.shop/{a}",
            "https://id.shop/a//b",
            "https://id.shop/../b",
            "https://id.shop/%2e",
        ] {
            assert_eq!(base(issuer), None, "{issuer}");
        }
    }
}
