//! The handle.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::{
    builder::CircuitBreakerBuilder,
    cause::Cause,
    error::{CircuitOpen, InvalidCircuitBreaker},
    machine::Phase,
    permit::Permit,
    shared::Shared,
    snapshot::Snapshot,
    state::State,
    transition::Transition,
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

    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Asks to make one call.
    ///
    /// In the closed state it is two atomic loads, without lock or allocation, and without clock unless calls are
    /// timed.
    ///
    /// # Errors
    ///
    /// [`CircuitOpen`] when the call must not be made.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, CircuitOpen> {
        self.shared.try_acquire()
    }

    /// A permit, if the circuit is closed: then nobody is refused.
    #[inline]
    pub(super) fn acquire_closed(&self) -> Option<Permit> {
        self.shared.acquire_closed()
    }

    /// The state now.
    ///
    /// An open circuit whose wait is over stays open until a call probes it.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// State and counts now.
    ///
    /// ```
    /// use msf_core::classify::Classification;
    /// use msf_resilience::circuit_breaker::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payment").build()?;
    /// breaker.try_acquire()?.complete(&Classification::FAILURE);
    /// breaker.try_acquire()?.complete(&Classification::SUCCESS);
    /// let snapshot = breaker.snapshot();
    /// assert_eq!((snapshot.calls(), snapshot.failure_rate()), (2, 0.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Refuses every call until [`release`](Self::release), whatever happens meanwhile.
    ///
    /// ```
    /// use msf_resilience::circuit_breaker::{Cause, CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder("payment").build()?;
    /// breaker.force_open();
    /// assert_eq!(breaker.try_acquire().unwrap_err().cause(), Cause::Forced);
    /// breaker.release();
    /// assert_eq!(breaker.state(), State::Closed);
    /// # Ok::<(), msf_resilience::circuit_breaker::InvalidCircuitBreaker>(())
    /// ```
    pub fn force_open(&self) {
        self.shared.force(Phase::ForcedOpen);
    }

    /// Lets every call pass and counts none, until [`release`](Self::release).
    pub fn disable(&self) {
        self.shared.force(Phase::Disabled);
    }

    /// Lets every call pass and counts them, without ever opening, until [`release`](Self::release).
    pub fn metrics_only(&self) {
        self.shared.force(Phase::MetricsOnly);
    }

    /// Takes back [`force_open`](Self::force_open), [`disable`](Self::disable) or [`metrics_only`](Self::metrics_only):
    /// the circuit is closed, with nothing counted. Otherwise it does nothing.
    pub fn release(&self) {
        self.shared.release();
    }

    /// Watches the changes of state. The value is the last of them; at first one from closed to closed.
    ///
    /// Who looks rarely misses those between.
    ///
    /// ```
    /// use msf_resilience::circuit_breaker::{CircuitBreaker, State};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("payment").build()?;
    /// let mut transitions = breaker.subscribe();
    /// breaker.force_open();
    /// transitions.changed().await?;
    /// assert_eq!(transitions.borrow().to(), State::ForcedOpen);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Transition> {
        self.shared.subscribe()
    }

    /// Goes on with the knobs of `builder`; its name and metrics are not looked at.
    ///
    /// State and counts stay. What a window of time holds leaves it bucket by bucket of the new length. A wait that has begun keeps
    /// its end. Only a change between windows of time and of calls begins with an empty window.
    ///
    /// ```
    /// use msf_resilience::circuit_breaker::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payment").build()?;
    /// breaker.reconfigure(CircuitBreaker::builder("payment").failure_rate(0.2))?;
    /// # Ok::<(), msf_resilience::circuit_breaker::InvalidCircuitBreaker>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidCircuitBreaker`] as [`build`](CircuitBreakerBuilder::build); then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: CircuitBreakerBuilder) -> Result<(), InvalidCircuitBreaker> {
        let settings = builder.settings()?;
        let slot = &self.shared.slot;
        slot.circuit.reconfigure(settings, slot.epoch.nanos());
        Ok(())
    }

    /// For how long a call would be refused now; takes nothing.
    #[inline]
    pub(super) fn refuses_for(&self) -> Option<(Cause, u64)> {
        match self.shared.slot.circuit.closed() {
            Some(_) => None,
            None => self.shared.refuses_for(),
        }
    }

    /// Counts a refusal, whatever the state is.
    pub(super) fn refuse(&self, (cause, wait_ns): (Cause, u64)) -> CircuitOpen {
        self.shared.refuse(cause, wait_ns)
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
