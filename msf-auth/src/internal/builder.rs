//! The settings.

use std::time::Duration;

use msf_core::metrics::Metrics;

use super::{
    InternalTokens, InvalidInternalTokens, SUBJECT_ISSUER_CLAIM,
    metrics::TokenMetrics,
    tokens::{Settings, TENANT_CLAIM},
};
use crate::issue::TokenIssuer;

/// Builds [`InternalTokens`]; made by [`InternalTokens::builder`].
#[derive(Debug)]
#[must_use = "nothing is minted before `build`"]
pub struct InternalTokensBuilder {
    issuer: TokenIssuer,
    ttl: Duration,
    keep: Duration,
    kept_max: usize,
    carried: Vec<Box<str>>,
    metrics: Option<Metrics>,
}

/// A call and its retries fit, a leaked token does not last.
const TTL: Duration = Duration::from_secs(30);
const TTL_MIN: Duration = Duration::from_secs(5);
const TTL_MAX: Duration = Duration::from_secs(300);
/// What is left of the life when a token is given for the last time covers the call and clocks that differ.
const KEEP: Duration = Duration::from_secs(10);
/// About 10 MB and never above 42; callers that are active within ten seconds, times the services that each reaches.
const KEPT_MAX: usize = 10_000;

/// Claims of the caller that go along always.
pub(super) const ALWAYS: [&str; 4] = ["sid", "auth_time", "acr", "amr"];
/// Claims that only the minter writes.
const OWN: [&str; 14] = [
    "iss",
    "sub",
    SUBJECT_ISSUER_CLAIM,
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "client_id",
    "act",
    "txn",
    "msf_kind",
    TENANT_CLAIM,
];

impl InternalTokensBuilder {
    pub(super) fn new(issuer: TokenIssuer) -> Self {
        let ttl = TTL.min(issuer.ttl_max());
        Self {
            issuer,
            ttl,
            keep: KEEP.min(ttl / 2),
            kept_max: KEPT_MAX,
            carried: Vec::new(),
            metrics: None,
        }
    }

    /// How long a token lives, 5 s to 5 min in whole seconds; default 30 s. Neither is above what the
    /// [ring](crate::RotationPolicy::token_ttl_max) of the issuer allows.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// For how long the same token is given for the same caller, service and scopes, in whole seconds and at most half
    /// of the life; default 10 s, 0 for never.
    pub const fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How many tokens are kept at most, about 1 KB each and never above 4 KiB; default 10 000. Those that are used more
    /// stay longer.
    pub const fn kept_max(mut self, kept_max: usize) -> Self {
        self.kept_max = kept_max;
        self
    }

    /// A further claim of the caller that services inside need, such as `roles`.
    pub fn carry(mut self, claim: impl Into<Box<str>>) -> Self {
        self.carried.push(claim.into());
        self
    }

    /// Counts in these metrics.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The minter.
    ///
    /// # Errors
    ///
    /// [`InvalidInternalTokens`] for a setting out of range.
    pub fn build(self) -> Result<InternalTokens, InvalidInternalTokens> {
        let ttl_max = TTL_MAX.min(self.issuer.ttl_max());
        if !(TTL_MIN.min(ttl_max)..=ttl_max).contains(&self.ttl) {
            return Err(InvalidInternalTokens::Ttl);
        }
        if self.keep > self.ttl / 2 {
            return Err(InvalidInternalTokens::Keep);
        }
        let mut carried = self.carried.iter().map(|claim| &**claim);
        if let Some(claim) = carried.find(|claim| OWN.contains(claim) || ALWAYS.contains(claim)) {
            return Err(InvalidInternalTokens::Claim(claim.into()));
        }
        let metrics = match &self.metrics {
            Some(metrics) => TokenMetrics::new(metrics)?,
            None => TokenMetrics::noop(),
        };
        Ok(self.assemble(metrics))
    }

    pub(super) fn assemble(self, metrics: TokenMetrics) -> InternalTokens {
        let settings = Settings {
            ttl: self.ttl,
            keep: self.keep,
            kept_max: self.kept_max,
            carried: self.carried,
        };
        InternalTokens::assemble(self.issuer, settings, metrics)
    }
}
