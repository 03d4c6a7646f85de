//! What the store exports.

use msf_core::metrics::{Counter, Histogram, MetricInfo, Metrics, MetricsError, Spec};

static CALLS: Spec<Counter, 2> = Spec::counter(
    "msf_ratelimit_redis_calls_total",
    "Decisions asked of a Redis store: answered, remembered (a refusal, without Redis), failed, timeout or suspended (the breaker is open).",
    ["store", "outcome"],
);

static SECONDS: Spec<Histogram, 1> = Spec::histogram(
    "msf_ratelimit_redis_seconds",
    "Seconds until Redis had answered a decision.",
    ["store"],
);

pub(crate) static CATALOGUE: [MetricInfo; 2] = [CALLS.info(), SECONDS.info()];

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
        let calls = CALLS.register(metrics)?;
        Ok(Self {
            answered: calls.with([store, "answered"]),
            remembered: calls.with([store, "remembered"]),
            failed: calls.with([store, "failed"]),
            timeout: calls.with([store, "timeout"]),
            suspended: calls.with([store, "suspended"]),
            seconds: SECONDS.register(metrics)?.with([store]),
        })
    }
}
