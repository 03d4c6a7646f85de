//! What a breaker exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::{machine::Transition, state::State};

static CALLS: Spec<Counter, 2> = Spec::counter(
    "msf_breaker_calls_total",
    "Calls that a circuit breaker let in, by outcome: success, failure, ignored, cancelled, or stale (ended after the state it began in).",
    ["breaker", "outcome"],
);

static REJECTED: Spec<Counter, 1> = Spec::counter(
    "msf_breaker_rejected_total",
    "Calls that a circuit breaker refused.",
    ["breaker"],
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

pub(crate) static CATALOGUE: [MetricInfo; 4] = [
    CALLS.info(),
    REJECTED.info(),
    STATE.info(),
    TRANSITIONS.info(),
];

/// The series of one breaker, found when it is built.
#[derive(Debug)]
pub(super) struct BreakerMetrics {
    pub(super) success: Counter,
    pub(super) failure: Counter,
    pub(super) ignored: Counter,
    pub(super) cancelled: Counter,
    pub(super) stale: Counter,
    pub(super) rejected: Counter,
    states: [(State, Gauge); 3],
    transitions: [(State, State, Counter); 4],
}

impl BreakerMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let calls = CALLS.register(metrics)?;
        let states = STATE.register(metrics)?;
        let transitions = TRANSITIONS.register(metrics)?;
        Ok(Self {
            success: calls.with([name, "success"]),
            failure: calls.with([name, "failure"]),
            ignored: calls.with([name, "ignored"]),
            cancelled: calls.with([name, "cancelled"]),
            stale: calls.with([name, "stale"]),
            rejected: REJECTED.register(metrics)?.with([name]),
            states: [State::Closed, State::Open, State::HalfOpen]
                .map(|state| (state, states.with([name, state.as_str()]))),
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
        })
    }

    pub(super) fn show(&self, current: State) {
        for (state, gauge) in &self.states {
            gauge.set(if *state == current { 1.0 } else { 0.0 });
        }
    }

    pub(super) fn count(&self, transition: &Transition) {
        let known = self
            .transitions
            .iter()
            .find(|(from, to, _)| (*from, *to) == (transition.from, transition.to));
        if let Some((_, _, counter)) = known {
            counter.inc();
        }
    }
}
