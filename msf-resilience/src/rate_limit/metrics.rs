//! What a limiter exports.

use msf_core::metrics::{Counter, Gauge, Histogram, MetricInfo, Metrics, MetricsError, Spec};

use crate::stripe::Exported;

static DECISIONS: Spec<Counter, 2> = Spec::counter(
    "msf_ratelimit_decisions_total",
    "Requests that a rate limit checked: allowed or limited.",
    ["policy", "decision"],
);

static FORGOTTEN: Spec<Counter, 1> = Spec::counter(
    "msf_ratelimit_forgotten_total",
    "Keys that a full rate limit forgot before they were idle; above 0 it is too small or under attack.",
    ["policy"],
);

static KEYS: Spec<Gauge, 1> = Spec::gauge(
    "msf_ratelimit_keys",
    "Keys that a rate limit remembers.",
    ["policy"],
);

static STORE_FAILURES: Spec<Counter, 1> = Spec::counter(
    "msf_ratelimit_store_failures_total",
    "Requests on which the store of a shared rate limit did not decide.",
    ["policy"],
);

/// Of the feature `redis`; here, so that the catalogue is the same with and without it.
pub(super) static REDIS_CALLS: Spec<Counter, 2> = Spec::counter(
    "msf_ratelimit_redis_calls_total",
    "Calls of a Redis store: answered, remembered (a refusal, without Redis), failed, timeout or suspended (the breaker is open).",
    ["store", "outcome"],
);

pub(super) static REDIS_SECONDS: Spec<Histogram, 1> = Spec::histogram(
    "msf_ratelimit_redis_seconds",
    "Seconds until Redis had answered a call.",
    ["store"],
);

pub(crate) static CATALOGUE: [MetricInfo; 6] = [
    DECISIONS.info(),
    FORGOTTEN.info(),
    KEYS.info(),
    REDIS_CALLS.info(),
    REDIS_SECONDS.info(),
    STORE_FAILURES.info(),
];

/// The series of a limiter whose counts are in a store.
#[derive(Debug)]
pub(super) struct SharedMetrics {
    pub(super) allowed: Counter,
    pub(super) limited: Counter,
    pub(super) failures: Counter,
}

impl SharedMetrics {
    pub(super) fn register(metrics: &Metrics, policy: &str) -> Result<Self, MetricsError> {
        let decisions = DECISIONS.register(metrics)?;
        Ok(Self {
            allowed: decisions.with([policy, "allowed"]),
            limited: decisions.with([policy, "limited"]),
            failures: STORE_FAILURES.register(metrics)?.with([policy]),
        })
    }
}

/// The series of one limiter, found when it is built.
#[derive(Debug)]
pub(super) struct LimiterMetrics {
    allowed: Exported,
    limited: Exported,
    forgotten: Exported,
    keys: Gauge,
}

impl LimiterMetrics {
    pub(super) fn register(metrics: &Metrics, policy: &str) -> Result<Self, MetricsError> {
        let decisions = DECISIONS.register(metrics)?;
        let forgotten = FORGOTTEN.register(metrics)?;
        Ok(Self {
            allowed: Exported::since(decisions.with([policy, "allowed"]), 0),
            limited: Exported::since(decisions.with([policy, "limited"]), 0),
            forgotten: Exported::since(forgotten.with([policy]), 0),
            keys: KEYS.register(metrics)?.with([policy]),
        })
    }

    pub(super) fn show(&self, [allowed, limited]: [u64; 2], forgotten: u64, keys: usize) {
        self.allowed.show(allowed);
        self.limited.show(limited);
        self.forgotten.show(forgotten);
        #[expect(clippy::cast_precision_loss, reason = "at most 2^24 keys")]
        self.keys.set(keys as f64);
    }
}
