//! What a breaker exports.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use msf_core::metrics::{Counter, CounterFamily, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::{cause::Cause, machine::Change, slot::Counts, state::State};
use crate::stripe::Exported;

static CALLS: Spec<Counter, 2> = Spec::counter(
    "msf_breaker_calls_total",
    "Calls that a circuit breaker let in, by outcome: success, failure, ignored, cancelled, or stale (ended after the state it began in).",
    ["breaker", "outcome"],
);

static KEYS: Spec<Gauge, 2> = Spec::gauge(
    "msf_breaker_keys",
    "Keys that a keyed circuit breaker watches, by the state of their circuits.",
    ["breaker", "state"],
);

static REJECTED: Spec<Counter, 2> = Spec::counter(
    "msf_breaker_rejected_total",
    "Calls that a circuit breaker refused, by cause: open, half_open_full, forced or ramp.",
    ["breaker", "cause"],
);

static STATE: Spec<Gauge, 2> = Spec::gauge(
    "msf_breaker_state",
    "1 for the state a circuit breaker is in, 0 for the others.",
    ["breaker", "state"],
);

static TRANSITIONS: Spec<Counter, 3> = Spec::counter(
    "msf_breaker_transitions_total",
    "Changes of a circuit breaker's state.",
    ["breaker", "from", "to"],
);

pub(crate) static CATALOGUE: [MetricInfo; 5] = [
    CALLS.info(),
    KEYS.info(),
    REJECTED.info(),
    STATE.info(),
    TRANSITIONS.info(),
];

/// The series of one name, found when its breaker is built.
#[derive(Clone)]
pub(super) struct BreakerMetrics {
    succeeded: Counter,
    failed: Counter,
    ignored: Counter,
    cancelled: Counter,
    stale: Counter,
    rejected: [Counter; Cause::ALL.len()],
    transitions: [(State, State, Counter); 4],
    /// Those of an operator's orders are rare and many, so they are found when they happen.
    orders: (CounterFamily<3>, Box<str>),
}

impl BreakerMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let calls = CALLS.register(metrics)?;
        let rejected = REJECTED.register(metrics)?;
        let transitions = TRANSITIONS.register(metrics)?;
        Ok(Self {
            succeeded: calls.with([name, "success"]),
            failed: calls.with([name, "failure"]),
            ignored: calls.with([name, "ignored"]),
            cancelled: calls.with([name, "cancelled"]),
            stale: calls.with([name, "stale"]),
            rejected: Cause::ALL.map(|cause| rejected.with([name, cause.as_str()])),
            transitions: [
                (State::Closed, State::Open),
                (State::Open, State::HalfOpen),
                (State::HalfOpen, State::Open),
                (State::HalfOpen, State::Closed),
            ]
            .map(|(from, to)| {
                let counter = transitions.with([name, from.as_str(), to.as_str()]);
                (from, to, counter)
            }),
            orders: (transitions, name.into()),
        })
    }

    pub(super) fn register_states(metrics: &Metrics, name: &str) -> Result<States, MetricsError> {
        let states = STATE.register(metrics)?;
        Ok(States(
            State::ALL.map(|state| (state, states.with([name, state.as_str()]))),
        ))
    }

    pub(super) fn register_keys(metrics: &Metrics, name: &str) -> Result<States, MetricsError> {
        let keys = KEYS.register(metrics)?;
        Ok(States(
            State::ALL.map(|state| (state, keys.with([name, state.as_str()]))),
        ))
    }
}

/// A gauge for each state.
pub(super) struct States([(State, Gauge); State::ALL.len()]);

impl States {
    pub(super) fn show(&self, current: State) {
        self.show_all(|state| f64::from(u8::from(state == current)));
    }

    pub(super) fn show_all(&self, figure: impl Fn(State) -> f64) {
        for (state, gauge) in &self.0 {
            gauge.set(figure(*state));
        }
    }
}

/// The series with what of a breaker's counts they have already seen.
pub(super) struct Exports {
    succeeded: Exported,
    failed: Exported,
    ignored: Exported,
    cancelled: Exported,
    stale: Exported,
    rejected: [Exported; Cause::ALL.len()],
    metrics: BreakerMetrics,
}

impl Exports {
    pub(super) fn new(metrics: &BreakerMetrics, counts: &Counts) -> Self {
        let since = |counter: &Counter, count: &AtomicU64| {
            Exported::since(counter.clone(), count.load(Relaxed))
        };
        Self {
            succeeded: Exported::since(metrics.succeeded.clone(), counts.succeeded.sum()),
            failed: since(&metrics.failed, &counts.failed),
            ignored: since(&metrics.ignored, &counts.ignored),
            cancelled: since(&metrics.cancelled, &counts.cancelled),
            stale: since(&metrics.stale, &counts.stale),
            rejected: std::array::from_fn(|at| since(&metrics.rejected[at], &counts.rejected[at])),
            metrics: metrics.clone(),
        }
    }

    pub(super) fn show(&self, counts: &Counts) {
        self.succeeded.show(counts.succeeded.sum());
        for (exported, count) in [
            (&self.failed, &counts.failed),
            (&self.ignored, &counts.ignored),
            (&self.cancelled, &counts.cancelled),
            (&self.stale, &counts.stale),
        ] {
            exported.show(count.load(Relaxed));
        }
        for (exported, count) in self.rejected.iter().zip(&counts.rejected) {
            exported.show(count.load(Relaxed));
        }
    }

    pub(super) fn count(&self, change: &Change) {
        let BreakerMetrics {
            transitions,
            orders: (family, name),
            ..
        } = &self.metrics;
        let known = transitions
            .iter()
            .find(|(from, to, _)| (*from, *to) == (change.from, change.to));
        match known {
            Some((_, _, counter)) => counter.inc(),
            None => family
                .with([name, change.from.as_str(), change.to.as_str()])
                .inc(),
        }
    }
}
