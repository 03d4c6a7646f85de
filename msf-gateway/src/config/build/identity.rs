//! Identity: whose word about callers services get.

use http::HeaderName;
use msf_auth::{InternalTokens, SigningKey, TokenIssuer};
use msf_core::metrics::Metrics;

use super::report::Report;
use crate::{
    config::{InternalIdentityConfig, Texts},
    headers::IdentityHeaders,
};

/// The minter; it opens nothing, since the key is in the file or was read with it.
pub(super) fn tokens(
    config: &InternalIdentityConfig,
    metrics: Option<&Metrics>,
    report: &mut Report,
) -> Option<InternalTokens> {
    let issuer = config.issuer.as_deref().filter(|issuer| !issuer.is_empty());
    if issuer.is_none() {
        report.hint(
            "internal_identity.issuer",
            "must be set",
            "as \"https://gateway.shop\", which services trust by `TrustedIssuer::internal`",
        );
    }
    let Some(key) = &config.key else {
        report.hint(
            "internal_identity.key",
            "must be set",
            "as \"file:/etc/gateway/identity.pem\"; `openssl genpkey -algorithm ed25519` makes one",
        );
        return None;
    };
    let key = SigningKey::from_pem(key.secret());
    // Whatever is wrong with it is said without a piece of it.
    let key = key.map_err(|_| "must be one private key in PKCS#8 PEM, Ed25519 or P-256");
    let key = report.check("internal_identity.key", key)?;
    let mut builder = InternalTokens::builder(TokenIssuer::new(issuer?, key));
    if let Some(ttl) = config.ttl {
        builder = builder.ttl(ttl.get());
        if config.keep.is_none() {
            // A short life leaves room for a short memory only.
            builder = builder.keep(KEEP.min(ttl.get() / 2));
        }
    }
    if let Some(keep) = config.keep {
        builder = builder.keep(keep.get());
    }
    for claim in config.carry.as_slice() {
        builder = builder.carry(claim.as_str());
    }
    if let Some(metrics) = metrics {
        builder = builder.metrics(metrics);
    }
    report.check("internal_identity", builder.build())
}

/// Headers that no client may send.
pub(super) fn headers(prefixes: &Texts, report: &mut Report) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    for (place, prefix) in prefixes.as_slice().iter().enumerate() {
        let is_all = prefix.trim_end_matches('*').is_empty();
        if is_all || HeaderName::from_bytes(prefix.as_bytes()).is_err() {
            let at = match place {
                0 => "identity_headers".to_owned(),
                place => format!("identity_headers[{place}]"),
            };
            report.at(at, format_args!("{prefix:?} is no name of a header"));
            continue;
        }
        headers = headers.and(prefix);
    }
    headers
}

/// The default of a minter.
const KEEP: std::time::Duration = std::time::Duration::from_secs(10);
