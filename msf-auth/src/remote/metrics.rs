//! What became of fetches.

use msf_core::{
    clock,
    metrics::{Counter, Gauge, Metrics, MetricsError, Spec},
};

use super::keys::Shared;

pub(crate) static AGE: Spec<Gauge, 1> = Spec::gauge(
    "msf_auth_jwks_age_seconds",
    "Time since a key set was last fetched with a usable key, or since the start when it never was.",
    ["source"],
);

pub(crate) static KEYS: Spec<Gauge, 2> = Spec::gauge(
    "msf_auth_jwks_keys",
    "Keys of the set in use, by whether they are used or skipped because of a fault.",
    ["source", "state"],
);

pub(crate) static REFRESHES: Spec<Counter, 2> = Spec::counter(
    "msf_auth_jwks_refreshes_total",
    "Fetches of key sets by what became of them: replaced, unchanged, failed or refused (no usable key).",
    ["source", "result"],
);

#[derive(Debug)]
pub(super) struct RefreshMetrics {
    pub(super) replaced: Counter,
    pub(super) unchanged: Counter,
    pub(super) failed: Counter,
    pub(super) refused: Counter,
}

impl RefreshMetrics {
    pub(super) fn new(metrics: &Metrics, source: &str) -> Result<Self, MetricsError> {
        let family = REFRESHES.register(metrics)?;
        Ok(Self {
            replaced: family.with([source, "replaced"]),
            unchanged: family.with([source, "unchanged"]),
            failed: family.with([source, "failed"]),
            refused: family.with([source, "refused"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            replaced: Counter::noop(),
            unchanged: Counter::noop(),
            failed: Counter::noop(),
            refused: Counter::noop(),
        }
    }
}

/// What is read when somebody looks.
#[derive(Debug)]
pub(super) struct KeyGauges {
    age: Gauge,
    used: Gauge,
    skipped: Gauge,
}

impl KeyGauges {
    pub(super) fn new(metrics: &Metrics, source: &str) -> Result<Self, MetricsError> {
        let keys = KEYS.register(metrics)?;
        Ok(Self {
            age: AGE.register(metrics)?.with([source]),
            used: keys.with([source, "used"]),
            skipped: keys.with([source, "skipped"]),
        })
    }

    pub(super) fn show(&self, shared: &Shared) {
        let loaded = shared.loaded.load();
        let born = shared.due.born();
        let since = loaded.as_ref().map_or(born, |loaded| loaded.at);
        let age = clock::now().saturating_duration_since(since);
        self.age.set(age.as_secs_f64());
        let count = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
        let keys = loaded.as_ref().map(|loaded| &loaded.keys);
        self.used.set(keys.map_or(0.0, |keys| count(keys.len())));
        self.skipped
            .set(keys.map_or(0.0, |keys| count(keys.skipped().len())));
    }
}
