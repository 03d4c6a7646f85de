//! What the store exports.

use msf_core::metrics::{Counter, Histogram, Metrics, MetricsError};

use super::super::metrics::{REDIS_CALLS, REDIS_SECONDS};

/// The series of one store, found when it is built.
#[derive(Debug)]
pub(super) struct StoreMetrics {
    pub(super) answered: Counter,
    pub(super) remembered: Counter,
    pub(super) failed: Counter,
    pub(super) timeout: Counter,
    pub(super) suspended: Counter,
    pub(super) seconds: Histogram,
}

impl StoreMetrics {
    pub(super) fn register(metrics: &Metrics, store: &str) -> Result<Self, MetricsError> {
        let calls = REDIS_CALLS.register(metrics)?;
        Ok(Self {
            answered: calls.with([store, "answered"]),
            remembered: calls.with([store, "remembered"]),
            failed: calls.with([store, "failed"]),
            timeout: calls.with([store, "timeout"]),
            suspended: calls.with([store, "suspended"]),
            seconds: REDIS_SECONDS.register(metrics)?.with([store]),
        })
    }
}
