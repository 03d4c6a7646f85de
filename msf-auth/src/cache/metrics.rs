//! Whether keeping tokens pays.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

pub(crate) static LOOKUPS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_token_cache_lookups_total",
    "Looks for a verified token by their outcome (hit, miss).",
    ["result"],
);

pub(crate) static EVICTIONS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_token_cache_evictions_total",
    "Verified tokens that were dropped, by why (size, expired, key, revoked).",
    ["reason"],
);

pub(crate) static BYTES: Spec<Gauge, 0> = Spec::gauge(
    "msf_auth_token_cache_bytes",
    "What the verified tokens that are kept may take in memory.",
    [],
);

/// Why an entry is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// Others needed the room.
    Size,
    /// Its time, or that of the cache, is over.
    Expired,
    /// Its key is no longer the issuer's, or another one has its id.
    Key,
    /// The token was taken back.
    Revoked,
}

#[derive(Clone, Debug)]
pub(crate) struct CacheMetrics {
    pub(super) hit: Counter,
    pub(super) miss: Counter,
    evictions: [Counter; 4],
}

const REASONS: [&str; 4] = ["size", "expired", "key", "revoked"];

impl CacheMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let lookups = LOOKUPS.register(metrics)?;
        let evictions = EVICTIONS.register(metrics)?;
        Ok(Self {
            hit: lookups.with(["hit"]),
            miss: lookups.with(["miss"]),
            evictions: REASONS.map(|reason| evictions.with([reason])),
        })
    }

    pub(crate) fn noop() -> Self {
        Self {
            hit: Counter::noop(),
            miss: Counter::noop(),
            evictions: REASONS.map(|_| Counter::noop()),
        }
    }

    pub(super) fn evicted(&self, eviction: Eviction) {
        // The order of the variants is that of `REASONS`.
        if let Some(counter) = self.evictions.get(eviction as usize) {
            counter.inc();
        }
    }
}
