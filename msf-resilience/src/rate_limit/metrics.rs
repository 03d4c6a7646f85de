//! What a limiter exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

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

pub(crate) static CATALOGUE: [MetricInfo; 3] = [DECISIONS.info(), FORGOTTEN.info(), KEYS.info()];

/// The series of one limiter, found when it is built.
#[derive(Debug)]
pub(super) struct LimiterMetrics {
    pub(super) allowed: Counter,
    pub(super) limited: Counter,
    pub(super) forgotten: Counter,
    keys: Gauge,
}

impl LimiterMetrics {
    pub(super) fn register(metrics: &Metrics, policy: &str) -> Result<Self, MetricsError> {
        let decisions = DECISIONS.register(metrics)?;
        Ok(Self {
            allowed: decisions.with([policy, "allowed"]),
            limited: decisions.with([policy, "limited"]),
            forgotten: FORGOTTEN.register(metrics)?.with([policy]),
            keys: KEYS.register(metrics)?.with([policy]),
        })
    }

    pub(super) fn show(&self, keys: usize) {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^24 keys")]
        self.keys.set(keys as f64);
    }
}
