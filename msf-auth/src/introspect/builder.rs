//! Whom to ask, and what to believe.

use std::time::Duration;

use msf_core::{
    clock::WallClock,
    config::Secret,
    metrics::{Metrics, MetricsError},
};
use thiserror::Error;

use super::{
    Introspector, cache::Answers, introspector::Shared, metrics::IntrospectionMetrics,
    request::Question,
};
use crate::{
    audit::Audit,
    outbound::{InvalidEndpoint, Network, Outbound, basic},
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
    endpoint: Box<str>,
    issuer: TrustedIssuer,
    client: Option<(Box<str>, Secret<String>)>,
    ttl: Duration,
    concurrency: usize,
    leeway: Duration,
    lifetime_max: Duration,
    network: Network,
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

const TTL_MAX: Duration = Duration::from_secs(30);
const CONCURRENCY_MAX: usize = 4_096;

impl IntrospectorBuilder {
    pub(super) fn new(endpoint: &str, issuer: TrustedIssuer) -> Self {
        Self {
            endpoint: endpoint.into(),
            issuer,
            client: None,
            ttl: Duration::from_secs(10),
            concurrency: 64,
            leeway: Duration::from_secs(30),
            lifetime_max: Duration::from_secs(24 * 3_600),
            network: Network::DEFAULT,
            clock: WallClock::system(),
            metrics: None,
            audit: Audit::log(),
        }
    }

    /// The name and the secret that we ask with, sent in the header (`client_secret_basic`). Required.
    pub fn client(mut self, id: impl Into<Box<str>>, secret: Secret<String>) -> Self {
        self.client = Some((id.into(), secret));
        self
    }

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

    /// Takes `http` to this machine (`localhost`, `127.0.0.0/8`, `::1`), for tests and sidecars.
    pub const fn allow_http_loopback(mut self) -> Self {
        self.network.allow_http_loopback();
        self
    }

    /// Takes addresses of the own network, for servers that run beside the service.
    pub const fn allow_private_addresses(mut self) -> Self {
        self.network.allow_private_addresses();
        self
    }

    /// Certificate authorities in PEM that are trusted besides those of the system.
    pub fn root_certificates(mut self, pem: &[u8]) -> Self {
        self.network.roots.push(pem.into());
        self
    }

    /// How long one request may take; default 2 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.network.timeout = timeout;
        self
    }

    /// Where the wall time comes from; for tests.
    pub const fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Tells `audit` of every token that is refused; the log by default.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts tokens in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The introspector; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`InvalidIntrospector`] for what is missing or contradicts itself.
    pub fn build(self) -> Result<Introspector, InvalidIntrospector> {
        let endpoint = self.network.endpoint(&self.endpoint)?;
        let (id, secret) = self.client.ok_or(InvalidIntrospector::NoClient)?;
        if id.is_empty() || secret.expose().is_empty() {
            return Err(InvalidIntrospector::NoClient);
        }
        let authorization = basic(&id, &secret).map_err(|_| InvalidIntrospector::NoClient)?;
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
        let question = Question {
            outbound: Outbound::new(self.network)?,
            endpoint,
            authorization,
        };
        let answers = Answers::new(self.ttl);
        let (clock, concurrency) = (self.clock, self.concurrency);
        Ok(Introspector::assemble(Shared::new(
            question,
            vouched_for,
            answers,
            concurrency,
            clock,
            metrics,
            self.audit,
        )))
    }
}
