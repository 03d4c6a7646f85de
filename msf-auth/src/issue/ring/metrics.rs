//! What the ring does, and whether it can.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

use super::{KeyChange, KeyRingError, KeyState, snapshot::Snapshot};

pub(crate) static KEYS: Spec<Gauge, 1> = Spec::gauge(
    "msf_auth_ring_keys",
    "Keys of the ring by state (staged, active, retired).",
    ["state"],
);

pub(crate) static CHANGES: Spec<Counter, 1> = Spec::counter(
    "msf_auth_ring_changes_total",
    "Keys that this process brought to a state (staged, active, retired, gone, revoked).",
    ["state"],
);

pub(crate) static FAILURES: Spec<Counter, 0> = Spec::counter(
    "msf_auth_ring_failures_total",
    "Looks at the ring on disk, and changes of it, that failed; the keys in use stay.",
    [],
);

#[derive(Debug)]
pub(super) struct RingMetrics {
    keys: [Gauge; 3],
    changes: [Counter; 5],
    failures: Counter,
}

const STATES: [KeyState; 3] = [KeyState::Staged, KeyState::Active, KeyState::Retired];

impl RingMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let keys = KEYS.register(metrics)?;
        let changes = CHANGES.register(metrics)?;
        Ok(Self {
            keys: STATES.map(|state| keys.with([state.as_str()])),
            changes: ["staged", "active", "retired", "gone", "revoked"]
                .map(|state| changes.with([state])),
            failures: FAILURES.register(metrics)?.with([]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            keys: STATES.map(|_| Gauge::noop()),
            changes: [(); 5].map(|()| Counter::noop()),
            failures: Counter::noop(),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a ring has at most sixteen keys"
    )]
    pub(super) fn installed(&self, snapshot: &Snapshot) {
        let status = snapshot.status();
        for (state, gauge) in STATES.into_iter().zip(&self.keys) {
            let count = status.iter().filter(|key| key.state == state).count();
            gauge.set(count as f64);
        }
    }

    pub(super) fn settle<T>(&self, outcome: &Result<T, KeyRingError>) {
        // Asking for a key that is not there says nothing about the ring.
        if matches!(outcome, Err(error) if !matches!(error, KeyRingError::UnknownKey(_))) {
            self.failures.inc();
        }
    }

    pub(super) fn changed(&self, change: &KeyChange) {
        let at = match (change.revoked, change.state) {
            (true, _) => 4,
            (false, KeyState::Staged) => 0,
            (false, KeyState::Active) => 1,
            (false, KeyState::Retired) => 2,
            (false, KeyState::Gone) => 3,
        };
        self.changes[at].inc();
    }
}
