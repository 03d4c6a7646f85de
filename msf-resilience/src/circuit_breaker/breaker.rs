//! The handle: the circuit with a name, a clock, metrics and a log.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::{
    clock,
    metrics::{Metrics, MetricsError},
};
use tokio::time::Instant;

use super::{
    builder::CircuitBreakerBuilder,
    circuit::{Circuit, Completion},
    error::CircuitOpen,
    machine::{Admission, Outcome, Transition},
    metrics::BreakerMetrics,
    permit::Permit,
    settings::Settings,
    state::State,
};

/// A circuit breaker. Clones share it.
///
/// It needs no runtime and no tower: ask for a [`Permit`], make the call, complete the permit. The
/// [module documentation](super) has the rules and the layers.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::circuit_breaker::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder("payment").min_calls(2).build()?;
/// for _ in 0..2 {
///     let permit = breaker.try_acquire()?;
///     permit.complete(&Classification::FAILURE);
/// }
/// assert_eq!(breaker.state(), State::Open);
/// assert!(breaker.try_acquire().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Shared>,
}

impl CircuitBreaker {
    /// Begins a breaker. The name appears in errors, logs and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = metrics
            .map(|metrics| BreakerMetrics::register(metrics, &name))
            .transpose()?;
        let shared = Arc::new(Shared {
            name,
            epoch: clock::now(),
            circuit: Circuit::new(settings, fastrand::Rng::new()),
            metrics: handles,
        });
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                let state = shared.state();
                if let Some(metrics) = &shared.metrics {
                    metrics.show(state);
                }
            });
        }
        Ok(Self { shared })
    }

    /// Asks to make one call.
    ///
    /// In the closed state it is one atomic load, without clock, lock or allocation.
    ///
    /// # Errors
    ///
    /// [`CircuitOpen`] when the call must not be made.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, CircuitOpen> {
        let (admission, transition) = self.shared.circuit.admit(|| self.shared.now());
        if let Some(transition) = transition {
            self.shared.announce(&transition);
        }
        match admission {
            Admission::Admitted { generation } => {
                Ok(Permit::new(Arc::clone(&self.shared), generation))
            }
            Admission::Rejected { wait_ns } => Err(self.refuse(Duration::from_nanos(wait_ns))),
        }
    }

    /// The state now.
    ///
    /// An open circuit whose wait is over stays open until a call probes it.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// For how long a call would be refused now; takes nothing.
    pub(super) fn refuses_for(&self) -> Option<Duration> {
        let wait_ns = self.shared.circuit.refuses_for(|| self.shared.now());
        wait_ns.map(Duration::from_nanos)
    }

    /// Counts a refusal, whatever the state is.
    #[cold]
    pub(super) fn refuse(&self, wait: Duration) -> CircuitOpen {
        if let Some(metrics) = &self.shared.metrics {
            metrics.rejected.inc();
        }
        CircuitOpen::new(Arc::clone(&self.shared.name), wait)
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// What all clones and permits of a breaker share.
pub(super) struct Shared {
    name: Arc<str>,
    epoch: Instant,
    circuit: Circuit,
    metrics: Option<BreakerMetrics>,
}

impl Shared {
    pub(super) fn now(&self) -> u64 {
        self.nanos(clock::now())
    }

    /// Nanoseconds since the breaker was made; they last for 584 years.
    pub(super) fn nanos(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn complete(&self, generation: u64, outcome: Outcome, now: u64) {
        let completion = self.circuit.complete(generation, outcome, now);
        if let Some(metrics) = &self.metrics {
            let counter = match (completion, outcome) {
                (Completion::Stale, _) => &metrics.stale,
                (_, Outcome::Success) => &metrics.success,
                (_, Outcome::Failure { .. }) => &metrics.failure,
                (_, Outcome::Ignored) => &metrics.ignored,
                (_, Outcome::Cancelled) => &metrics.cancelled,
            };
            counter.inc();
        }
        if let Completion::Taken(Some(transition)) = completion {
            self.announce(&transition);
        }
    }

    fn state(&self) -> State {
        let (state, transition) = self.circuit.state(self.now());
        if let Some(transition) = transition {
            self.announce(&transition);
        }
        state
    }

    #[cold]
    fn announce(&self, transition: &Transition) {
        if let Some(metrics) = &self.metrics {
            metrics.count(transition);
        }
        let (breaker, from) = (&*self.name, transition.from.as_str());
        match transition.to {
            State::Open => {
                let open_for = Duration::from_nanos(transition.wait_ns);
                tracing::warn!(breaker, from, ?open_for, "circuit opened");
            }
            State::HalfOpen => tracing::info!(breaker, from, "circuit half-open"),
            State::Closed => tracing::info!(breaker, from, "circuit closed"),
        }
    }
}
