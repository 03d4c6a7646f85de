//! What a verifier has to know.

use std::{sync::Arc, time::Duration};

use msf_core::{
    clock::WallClock,
    metrics::{Metrics, MetricsError},
};
use thiserror::Error;

use super::{
    Namers, TrustedIssuer, Verifier, check::Times, metrics::VerifyMetrics, verifier::Shared,
};
use crate::{
    audit::Audit,
    cache::{Store, TokenCache},
    revocation::Revocations,
};

/// Collects what a [`Verifier`] has to know. Made by [`Verifier::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    issuers: Vec<TrustedIssuer>,
    leeway: Duration,
    lifetime_max: Duration,
    token_bytes_max: usize,
    clock: WallClock,
    metrics: Option<Metrics>,
    cache: Option<TokenCache>,
    revocations: Option<Revocations>,
    audit: Audit,
}

/// A verifier that would not be safe, or would accept nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidVerifier {
    /// There is no issuer.
    #[error("no issuer is trusted")]
    NoIssuer,
    /// Two entries have the same issuer, or one has an empty name.
    #[error("the issuer `{0}` is empty or there twice")]
    Issuer(Arc<str>),
    /// An issuer has no audience, or an empty one.
    #[error("the issuer `{0}` has no audience, or an empty one")]
    NoAudience(Arc<str>),
    /// An issuer has no algorithm.
    #[error("the issuer `{0}` has no algorithm")]
    NoAlgorithm(Arc<str>),
    /// An issuer has an empty token type, which is to say none.
    #[error("the issuer `{0}` has an empty token type")]
    NoType(Arc<str>),
    /// The leeway is above 5 minutes.
    #[error("a leeway above 5 minutes is not taken")]
    Leeway,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl InvalidVerifier {
    /// Longer leeways hide clocks that should be set right.
    pub(super) const LEEWAY_MAX: Duration = Duration::from_secs(300);
}

impl VerifierBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            leeway: Duration::from_secs(30),
            lifetime_max: Duration::from_secs(24 * 3_600),
            token_bytes_max: 8 * 1_024,
            clock: WallClock::system(),
            metrics: None,
            cache: None,
            revocations: None,
            audit: Audit::log(),
        }
    }

    /// Trusts an issuer; may be called for several.
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// How far clocks may differ; default 30 s, at most 5 min.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest life of a token; default 24 h.
    pub const fn lifetime_max(mut self, lifetime_max: Duration) -> Self {
        self.lifetime_max = lifetime_max;
        self
    }

    /// The longest token; default 8 KiB, above which proxies refuse the header anyway.
    pub const fn token_bytes_max(mut self, token_bytes_max: usize) -> Self {
        self.token_bytes_max = token_bytes_max;
        self
    }

    /// Where the wall time comes from; for tests.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts verifications in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Keeps verified tokens for a moment, so that they are not verified again (see [`cache`](crate::cache)).
    ///
    /// Nothing is kept by default: a verifier that is asked once for each token, or only for HMAC tokens, would have
    /// the memory and the claims of its callers in it for nothing.
    pub const fn cache(mut self, cache: TokenCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Refuses what was taken back (see [`revocation`](crate::revocation)).
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Tells `audit` of every token that is refused; the log by default.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifier`] for what is missing or contradicts itself.
    pub fn build(mut self) -> Result<Verifier, InvalidVerifier> {
        if self.issuers.is_empty() {
            return Err(InvalidVerifier::NoIssuer);
        }
        for (index, trusted) in self.issuers.iter().enumerate() {
            let issuer = &trusted.issuer;
            let is_repeated = self.issuers[..index]
                .iter()
                .any(|other| other.issuer == *issuer);
            if issuer.is_empty() || is_repeated {
                return Err(InvalidVerifier::Issuer(issuer.clone()));
            }
            if trusted.audiences.is_empty() || trusted.audiences.iter().any(|a| a.is_empty()) {
                return Err(InvalidVerifier::NoAudience(issuer.clone()));
            }
            if trusted.token_type.is_empty() {
                return Err(InvalidVerifier::NoType(issuer.clone()));
            }
            if trusted.algorithms.is_empty() {
                return Err(InvalidVerifier::NoAlgorithm(issuer.clone()));
            }
        }
        if self.leeway > InvalidVerifier::LEEWAY_MAX {
            return Err(InvalidVerifier::Leeway);
        }
        let namers = Namers::of(&self.issuers);
        for trusted in &mut self.issuers {
            trusted.subject_suffices = namers.subject_suffices();
        }
        let metrics = match &self.metrics {
            Some(metrics) => VerifyMetrics::new(metrics)?,
            None => VerifyMetrics::noop(),
        };
        let store = self
            .cache
            .map(|cache| Store::new(cache, self.metrics.as_ref()));
        if let Some(revocations) = &self.revocations {
            revocations.cover(self.lifetime_max.saturating_add(self.leeway));
        }
        Ok(Verifier::new(Shared {
            issuers: self.issuers.into(),
            namers,
            times: Times {
                leeway_s: self.leeway.as_secs(),
                lifetime_max_s: self.lifetime_max.as_secs(),
            },
            cache: store.transpose()?,
            revocations: self.revocations,
            audit: self.audit,
            token_bytes_max: self.token_bytes_max,
            clock: self.clock,
            metrics,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeySet;

    fn issuer(name: &str) -> TrustedIssuer {
        TrustedIssuer::new(name, KeySet::default())
    }

    #[test]
    fn nothing_can_be_left_out() {
        let build = |issuers: Vec<TrustedIssuer>| {
            let builder = Verifier::builder();
            issuers
                .into_iter()
                .fold(builder, VerifierBuilder::issuer)
                .build()
                .unwrap_err()
        };
        let good = issuer("i").audience("a");
        assert_eq!(build(vec![]), InvalidVerifier::NoIssuer);
        assert_eq!(
            build(vec![issuer("i")]),
            InvalidVerifier::NoAudience("i".into())
        );
        assert_eq!(
            build(vec![issuer("i").audience("")]),
            InvalidVerifier::NoAudience("i".into())
        );
        assert_eq!(
            build(vec![issuer("").audience("a")]),
            InvalidVerifier::Issuer("".into())
        );
        assert_eq!(
            build(vec![good.clone(), good.clone()]),
            InvalidVerifier::Issuer("i".into())
        );
        assert_eq!(
            build(vec![good.clone().algorithms([])]),
            InvalidVerifier::NoAlgorithm("i".into())
        );
        assert_eq!(
            build(vec![good.clone().token_type("application/")]),
            InvalidVerifier::NoType("i".into())
        );
        let wide = Verifier::builder()
            .issuer(good)
            .leeway(Duration::from_secs(301));
        assert_eq!(wide.build().unwrap_err(), InvalidVerifier::Leeway);
    }
}
