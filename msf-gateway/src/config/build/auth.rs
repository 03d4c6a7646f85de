//! Verifiers.

use msf_auth::{
    Algorithm, FileJwks, HmacKey, HttpJwks, KeySet, RemoteKeys, TrustedIssuer, Verifier,
};
use msf_core::{config::Secret, metrics::Metrics};

use super::report::Report;
use crate::config::{AuthConfig, IssuerConfig};

/// A verifier, which fetches no key before it is asked.
pub(super) fn verifier(
    config: &AuthConfig,
    metrics: Option<&Metrics>,
    report: &mut Report,
) -> Option<Verifier> {
    let before = report.len();
    let mut builder = Verifier::builder();
    if let Some(metrics) = metrics {
        builder = builder.metrics(metrics);
    }
    if let Some(leeway) = config.leeway {
        builder = builder.leeway(leeway.get());
    }
    if config.issuers.is_empty() {
        report.hint(
            "auth.issuers",
            "must have an issuer",
            "add [[auth.issuers]], or remove [auth]",
        );
    }
    for (place, issuer) in config.issuers.iter().enumerate() {
        if let Some(issuer) = trusted(issuer, &format!("auth.issuers[{place}]"), report) {
            builder = builder.issuer(issuer);
        }
    }
    if report.len() > before {
        return None;
    }
    report.check("auth", builder.build())
}

fn trusted(config: &IssuerConfig, at: &str, report: &mut Report) -> Option<TrustedIssuer> {
    let before = report.len();
    let issuer = config.issuer.as_deref().filter(|issuer| !issuer.is_empty());
    if issuer.is_none() {
        report.at(format!("{at}.issuer"), "must be set");
    }
    if config.audience.as_slice().is_empty() {
        report.hint(
            format!("{at}.audience"),
            "must be set",
            "tokens that were made for somebody else would be taken",
        );
    }
    let mut algorithms = Vec::new();
    for text in config.algorithms.as_slice() {
        match Algorithm::from_name(text) {
            Some(algorithm) => algorithms.push(algorithm),
            None => report.hint(
                format!("{at}.algorithms"),
                format_args!("{text:?} is no algorithm that is taken"),
                known_algorithms(text),
            ),
        }
    }
    let sources = [
        config.jwks_url.is_some(),
        config.jwks_file.is_some(),
        config.hs256_secret.is_some(),
    ];
    if sources.into_iter().filter(|is_set| *is_set).count() != 1 {
        report.at(
            at,
            "needs exactly one of `jwks_url`, `jwks_file` and `hs256_secret`",
        );
        return None;
    }
    let name = issuer.unwrap_or_default();
    let mut trusted = if let Some(url) = &config.jwks_url {
        // The operator wrote the address, no document or token did.
        let source = HttpJwks::at(url)
            .allow_http_loopback()
            .allow_private_addresses();
        let source = report.check(format!("{at}.jwks_url"), source.build())?;
        TrustedIssuer::new(name, RemoteKeys::new(source))
    } else if let Some(path) = &config.jwks_file {
        TrustedIssuer::new(name, RemoteKeys::new(FileJwks::new(path)))
    } else {
        let secret = config.hs256_secret.as_ref()?;
        let bytes = Secret::new(secret.secret().expose().clone().into_bytes());
        let at = format!("{at}.hs256_secret");
        let key = report.check(&at, HmacKey::hs256("hs256", &bytes))?;
        let keys = report.check(&at, KeySet::new([key]))?;
        TrustedIssuer::new(name, keys).algorithms([Algorithm::Hs256])
    };
    if !algorithms.is_empty() {
        trusted = trusted.algorithms(algorithms);
    }
    for audience in config.audience.as_slice() {
        trusted = trusted.audience(audience.as_str());
    }
    if let Some(token_type) = &config.token_type {
        trusted = trusted.token_type(token_type.as_str());
    }
    (report.len() == before).then_some(trusted)
}

fn known_algorithms(wanted: &str) -> String {
    let names = || Algorithm::ALL.iter().map(|algorithm| algorithm.as_str());
    match super::report::nearest(wanted, names()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("choose from {}", names().collect::<Vec<_>>().join(", ")),
    }
}
