//! What a limiter exports.

use std::sync::atomic::{AtomicU64, Ordering};

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

static STORE_FAILURES: Spec<Counter, 1> = Spec::counter(
    "msf_ratelimit_store_failures_total",
    "Requests on which the store of a shared rate limit did not decide.",
    ["policy"],
);

pub(crate) static CATALOGUE: [MetricInfo; 4] = [
    DECISIONS.info(),
    FORGOTTEN.info(),
    KEYS.info(),
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

/// A counter that follows a count kept elsewhere.
#[derive(Debug)]
struct Exported {
    counter: Counter,
    shown: AtomicU64,
}

impl LimiterMetrics {
    pub(super) fn register(metrics: &Metrics, policy: &str) -> Result<Self, MetricsError> {
        let decisions = DECISIONS.register(metrics)?;
        let forgotten = FORGOTTEN.register(metrics)?;
        Ok(Self {
            allowed: Exported::new(decisions.with([policy, "allowed"])),
            limited: Exported::new(decisions.with([policy, "limited"])),
            forgotten: Exported::new(forgotten.with([policy])),
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

impl Exported {
    fn new(counter: Counter) -> Self {
        Self {
            counter,
            shown: AtomicU64::new(0),
        }
    }

    /// Two scrapes at once never add the same difference twice.
    fn show(&self, total: u64) {
        let shown = self.shown.fetch_max(total, Ordering::Relaxed);
        self.counter.inc_by(total.saturating_sub(shown));
    }
}
