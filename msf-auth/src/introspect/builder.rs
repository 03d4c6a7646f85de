//! Whom to ask, and what to believe.

use std::time::Duration;

use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use thiserror::Error;

use super::{Introspector, cache::Answers, introspector::Shared, metrics::IntrospectionMetrics};
use crate::{
    audit::Audit,
    outbound::{
        InvalidEndpoint,
        called::{self, Settings, setters},
    },
    verify::{InvalidVerifier, TrustedIssuer, VouchedFor},
};

/// Sets whom an [`Introspector`] asks and what it believes. Made by [`Introspector::builder`].
///
/// ```
/// use msf_auth::{Introspector, InvalidIntrospector, KeySet, TrustedIssuer};
///
/// let issuer = TrustedIssuer::new("https://id.example", KeySet::default()).audience("shop");
/// let builder = Introspector::builder("https://id.example/introspect", issuer);
/// assert!(matches!(builder.build(), Err(InvalidIntrospector::NoClient)));
/// ```
#[derive(Debug)]
#[must_use]
pub struct IntrospectorBuilder {
    server: Settings,
    issuer: TrustedIssuer,
    ttl: Duration,
    concurrency: usize,
    leeway: Duration,
    lifetime_max: Duration,
    clock: WallClock,
    metrics: Option<Metrics>,
    audit: Audit,
}

/// An introspector that could ask nobody, or would believe too much.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidIntrospector {
    /// The endpoint may not be called.
    #[error("the introspection endpoint cannot be called")]
    Endpoint(#[from] InvalidEndpoint),
    /// The client has no name or no secret; RFC 7662 section 2.1 has every caller authenticate.
    #[error("the client has no name or no secret")]
    NoClient,
    /// Answers would be kept for more than 30 s.
    #[error("an answer is kept for at most 30 s")]
    Ttl,
    /// No request, or more than 4096, could run at once.
    #[error("between 1 and 4096 requests run at once")]
    Concurrency,
    /// What is said about the issuer is not enough.
    #[error("the issuer is not described well enough")]
    Issuer(#[from] InvalidVerifier),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl From<called::Invalid> for InvalidIntrospector {
    fn from(invalid: called::Invalid) -> Self {
        match invalid {
            called::Invalid::Endpoint(error) => Self::Endpoint(error),
            called::Invalid::NoClient => Self::NoClient,
        }
    }
}

const TTL_MAX: Duration = Duration::from_secs(30);
const CONCURRENCY_MAX: usize = 4_096;

impl IntrospectorBuilder {
    pub(super) fn new(endpoint: &str, issuer: TrustedIssuer) -> Self {
        Self {
            server: Settings::at(endpoint),
            issuer,
            ttl: Duration::from_secs(10),
            concurrency: 64,
            leeway: Duration::from_secs(30),
            lifetime_max: Duration::from_secs(24 * 3_600),
            clock: WallClock::system(),
            metrics: None,
            audit: Audit::log(),
        }
    }

    setters!();

    /// For how long an answer counts: how late a token that was taken back is noticed. Default 10 s, at most 30 s; zero
    /// asks for each call.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How many requests may run at once; default 64, which at 10 ms each are 6 400 new tokens a second. Calls above
    /// that are answered with 503 at once, so that an issuer that is slow holds no more than these.
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
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

    /// Tells `audit` of every token that is refused; the log by default.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// The introspector; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`InvalidIntrospector`] for what is missing or contradicts itself.
    pub fn build(self) -> Result<Introspector, InvalidIntrospector> {
        let endpoint = self.server.endpoint()?;
        if self.ttl > TTL_MAX {
            return Err(InvalidIntrospector::Ttl);
        }
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return Err(InvalidIntrospector::Concurrency);
        }
        let vouched_for = VouchedFor::new(self.issuer, self.leeway, self.lifetime_max)?;
        let metrics = match &self.metrics {
            Some(metrics) => IntrospectionMetrics::new(metrics)?,
            None => IntrospectionMetrics::noop(),
        };
        let answers = Answers::new(self.ttl);
        let (clock, concurrency) = (self.clock, self.concurrency);
        Ok(Introspector::assemble(Shared::new(
            endpoint,
            vouched_for,
            answers,
            concurrency,
            clock,
            metrics,
            self.audit,
        )))
    }
}
