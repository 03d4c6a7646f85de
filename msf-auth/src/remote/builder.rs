//! Limits of fetching.

use std::time::Duration;

use msf_core::metrics::{Metrics, MetricsError};
use thiserror::Error;

use super::{
    JwksSource, RemoteKeys,
    metrics::{KeyGauges, RefreshMetrics},
};
use crate::{algorithm::Algorithm, audit::Audit};

/// Sets the limits of [`RemoteKeys`]. Made by [`RemoteKeys::builder`].
///
/// ```
/// use std::time::Duration;
/// use msf_auth::{JwksDocument, JwksFetchError, RemoteKeys};
///
/// let keys = RemoteKeys::builder(|| async { Err::<JwksDocument, _>(JwksFetchError::new("not yet")) })
///     .name("user")
///     .refresh_every(Duration::from_secs(60))
///     .build()?;
/// assert!(!keys.is_usable());
/// # Ok::<(), msf_auth::InvalidRemoteKeys>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct RemoteKeysBuilder<J> {
    source: J,
    name: String,
    limits: Limits,
    metrics: Option<Metrics>,
    audit: Audit,
}

/// Keys that could never be fetched or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidRemoteKeys {
    /// [`rsa_algorithm`](RemoteKeysBuilder::rsa_algorithm) is none of the six of RSA.
    #[error("the algorithm of RSA keys without `alg` is {0}, which is none of RSA")]
    RsaAlgorithm(Algorithm),
    /// A limit is zero.
    #[error("`{0}` is zero; at least a millisecond is needed")]
    Zero(&'static str),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) refresh_every: Option<Duration>,
    pub(super) unknown_every: Duration,
    pub(super) fetch_timeout: Duration,
    pub(super) wait_max: Duration,
    pub(super) stale_max: Duration,
    pub(super) rsa_algorithm: Algorithm,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        refresh_every: None,
        unknown_every: Duration::from_secs(10),
        fetch_timeout: Duration::from_secs(2),
        wait_max: Duration::from_millis(500),
        stale_max: Duration::from_secs(24 * 3_600),
        rsa_algorithm: Algorithm::Rs256,
    };
}

impl<J: JwksSource> RemoteKeysBuilder<J> {
    pub(super) fn new(source: J) -> Self {
        Self {
            source,
            name: "default".to_owned(),
            limits: Limits::DEFAULT,
            metrics: None,
            audit: Audit::log(),
        }
    }

    /// What the source is called in metrics and logs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How old a set may be before it is fetched again, whatever its source says; at least 1 s, at most a year, and at
    /// most half of [`stale_max`](Self::stale_max).
    ///
    /// By default the source says it (over HTTP by `Cache-Control`, from a minute to an hour), and when it says nothing
    /// it is 5 min. Up to a tenth is taken off by chance, so that replicas drift apart.
    pub const fn refresh_every(mut self, refresh_every: Duration) -> Self {
        self.limits.refresh_every = Some(refresh_every);
        self
    }

    /// The pause between fetches that unknown keys cause, after a burst of two; default 10 s, at least 1 s,
    /// at most a year.
    pub const fn unknown_every(mut self, unknown_every: Duration) -> Self {
        self.limits.unknown_every = unknown_every;
        self
    }

    /// How long one fetch may take; default 2 s, above zero.
    pub const fn fetch_timeout(mut self, fetch_timeout: Duration) -> Self {
        self.limits.fetch_timeout = fetch_timeout;
        self
    }

    /// How long a token waits for a fetch; default 500 ms, so that a slow issuer does not hold requests.
    pub const fn wait_max(mut self, wait_max: Duration) -> Self {
        self.limits.wait_max = wait_max;
        self
    }

    /// How long keys are used without a successful fetch; default 24 h, above zero.
    pub const fn stale_max(mut self, stale_max: Duration) -> Self {
        self.limits.stale_max = stale_max;
        self
    }

    /// The algorithm of an RSA key whose `alg` is missing; default RS256, one of the six of RSA.
    pub const fn rsa_algorithm(mut self, rsa_algorithm: Algorithm) -> Self {
        self.limits.rsa_algorithm = rsa_algorithm;
        self
    }

    /// Tells `audit` of private keys that an issuer publishes; the log by default.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Counts fetches in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The keys; nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`InvalidRemoteKeys`] for a limit that lets nothing through, or when the metrics could not be registered.
    pub fn build(self) -> Result<RemoteKeys, InvalidRemoteKeys> {
        if !self.limits.rsa_algorithm.is_rsa() {
            return Err(InvalidRemoteKeys::RsaAlgorithm(self.limits.rsa_algorithm));
        }
        for (name, limit) in [
            ("fetch_timeout", self.limits.fetch_timeout),
            ("stale_max", self.limits.stale_max),
        ] {
            if limit < Duration::from_millis(1) {
                return Err(InvalidRemoteKeys::Zero(name));
            }
        }
        let counters = match &self.metrics {
            Some(metrics) => RefreshMetrics::new(metrics, &self.name)?,
            None => RefreshMetrics::noop(),
        };
        let gauges = self
            .metrics
            .as_ref()
            .map(|metrics| KeyGauges::new(metrics, &self.name).map(|gauges| (metrics, gauges)));
        let gauges = gauges.transpose()?;
        let keys = RemoteKeys::assemble(self.source, self.name, self.limits, counters, self.audit);
        if let Some((metrics, gauges)) = gauges {
            metrics.on_scrape_of(&keys.0, move |shared| gauges.show(shared));
        }
        Ok(keys)
    }
}
