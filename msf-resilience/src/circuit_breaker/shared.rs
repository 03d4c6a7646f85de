//! What all clones of a breaker share, beside the slot that its calls point to.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use msf_core::{
    clock,
    metrics::{Metrics, MetricsError},
};
use tokio::sync::watch;

use super::{
    cause::Cause,
    error::CircuitOpen,
    machine::{Admission, Change, Machine, Phase},
    metrics::{BreakerMetrics, Exports},
    permit::Permit,
    settings::Settings,
    slot::Slot,
    snapshot::Snapshot,
    state::State,
    transition::Transition,
};
use crate::{
    policies::{self, Control, ControlError, Kind, Policy},
    slot::Owner,
};

pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) slot: Owner<Slot>,
    exports: Option<Exports>,
    transitions: watch::Sender<Transition>,
    announcing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&BreakerMetrics>,
    ) -> Arc<Self> {
        let slot = Slot::take(settings, metrics.is_some());
        let first = Transition {
            from: State::Closed,
            to: State::Closed,
            at: clock::now(),
            open_for: None,
            generation: slot.born(),
        };
        let shared = Arc::new(Self {
            name,
            exports: metrics.map(|metrics| Exports::new(metrics, &slot.counts)),
            slot,
            transitions: watch::Sender::new(first),
            announcing: Mutex::new(()),
        });
        shared.slot.belong_to(Arc::downgrade(&shared));
        shared
    }

    /// A breaker of its own: with series for its state, and in the list of policies.
    pub(super) fn listed(
        name: Arc<str>,
        settings: Settings,
        metrics: Option<&Metrics>,
    ) -> Result<Arc<Self>, MetricsError> {
        let handles = metrics
            .map(|metrics| BreakerMetrics::register(metrics, &name))
            .transpose()?;
        let shared = Self::new(name, settings, handles.as_ref());
        if let Some(metrics) = metrics {
            let states = BreakerMetrics::register_states(metrics, &shared.name)?;
            metrics.on_scrape_of(&shared, move |shared| {
                shared.export();
                states.show(shared.state());
            });
        }
        policies::register(&shared);
        Ok(shared)
    }

    /// Brings the counters up to date.
    pub(super) fn export(&self) {
        if let Some(exports) = &self.exports {
            exports.show(&self.slot.counts);
        }
    }

    #[inline]
    pub(super) fn try_acquire(&self) -> Result<Permit, CircuitOpen> {
        match self.acquire_closed() {
            Some(permit) => Ok(permit),
            None => self.try_acquire_slowly(),
        }
    }

    #[inline]
    pub(super) fn acquire_closed(&self) -> Option<Permit> {
        let slot = self.slot.slot();
        let generation = slot.circuit.closed()?;
        Some(Permit::new(slot, generation))
    }

    #[cold]
    #[inline(never)]
    fn try_acquire_slowly(&self) -> Result<Permit, CircuitOpen> {
        let slot = self.slot.slot();
        let (admission, change) = slot.circuit.admit(|| slot.epoch.nanos());
        if let Some(change) = change {
            self.announce(&change);
        }
        match admission {
            Admission::Admitted { generation } => Ok(Permit::new(slot, generation)),
            Admission::Rejected { cause, wait_ns } => Err(self.refuse(cause, wait_ns)),
        }
    }

    /// Counts a refusal, whatever the state is.
    #[cold]
    pub(super) fn refuse(&self, cause: Cause, wait_ns: u64) -> CircuitOpen {
        let counters = Cause::ALL.iter().zip(&self.slot.counts.rejected);
        for (_, counter) in counters.filter(|(known, _)| **known == cause) {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        CircuitOpen::new(Arc::clone(&self.name), Duration::from_nanos(wait_ns), cause)
    }

    #[cold]
    pub(super) fn refuses_for(&self) -> Option<(Cause, u64)> {
        let slot = &self.slot;
        slot.circuit.refuses_for(|| slot.epoch.nanos())
    }

    pub(super) fn state(&self) -> State {
        let (state, change) = self.slot.circuit.state(self.slot.epoch.nanos());
        if let Some(change) = change {
            self.announce(&change);
        }
        state
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let now = self.slot.epoch.nanos();
        let (figures, consecutive_failures) = self.slot.circuit.figures(now);
        let retry_after = self.refuses_for();
        Snapshot {
            state,
            state_for: clock::now().saturating_duration_since(self.transitions.borrow().at),
            retry_after: retry_after.map(|(_, wait_ns)| Duration::from_nanos(wait_ns)),
            openings: self.slot.circuit.order(|machine| machine.openings()),
            succeeded: figures.succeeded,
            failed: figures.failed,
            slow: figures.slow,
            cancelled: figures.cancelled,
            consecutive_failures,
        }
    }

    pub(super) fn force(&self, phase: Phase) {
        self.order(|machine| machine.force(phase));
    }

    pub(super) fn release(&self) {
        self.order(Machine::release);
    }

    fn order(&self, order: impl FnOnce(&mut Machine) -> Option<Change>) {
        if let Some(change) = self.slot.circuit.order(order) {
            self.announce(&change);
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Transition> {
        self.transitions.subscribe()
    }

    #[cold]
    pub(super) fn announce(&self, change: &Change) {
        if change.generation <= self.slot.born() {
            return;
        }
        // One announcement at a time, so that the log has them whole; who comes late changes nothing that is newer.
        let _announcing = self
            .announcing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(exports) = &self.exports {
            exports.count(change);
        }
        let (breaker, from) = (&*self.name, change.from.as_str());
        let open_for = (change.to == State::Open).then(|| Duration::from_nanos(change.wait_ns));
        match change.to {
            State::Open => tracing::warn!(breaker, from, ?open_for, "circuit opened"),
            State::HalfOpen => tracing::info!(breaker, from, "circuit half-open"),
            State::Closed => tracing::info!(breaker, from, "circuit closed"),
            to @ (State::ForcedOpen | State::Disabled | State::MetricsOnly) => {
                tracing::warn!(
                    breaker,
                    from,
                    to = to.as_str(),
                    "circuit held by an operator"
                );
            }
        }
        let transition = Transition {
            from: change.from,
            to: change.to,
            at: clock::now(),
            open_for,
            generation: change.generation,
        };
        self.transitions.send_if_modified(|last| {
            let is_newer = last.generation < transition.generation;
            if is_newer {
                *last = transition;
            }
            is_newer
        });
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What was counted since the last scrape.
        self.export();
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> policies::Snapshot {
        let now = Self::snapshot(self);
        let mut shown = policies::Snapshot::new(Kind::CircuitBreaker, &self.name)
            .in_state(now.state.as_str())
            .with("failure_rate", now.failure_rate())
            .with("slow_rate", now.slow_rate());
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        for (figure, value) in [
            ("calls", now.calls()),
            ("consecutive_failures", now.consecutive_failures),
            ("openings", now.openings.into()),
        ] {
            shown = shown.with(figure, value as f64);
        }
        shown = shown.with("state_seconds", now.state_for.as_secs_f64());
        match now.retry_after {
            Some(wait) => shown.with("retry_after_seconds", wait.as_secs_f64()),
            None => shown,
        }
    }

    fn control(&self, control: Control) -> Result<(), ControlError> {
        match control {
            Control::ForceOpen => self.force(Phase::ForcedOpen),
            Control::Disable => self.force(Phase::Disabled),
            Control::MetricsOnly => self.force(Phase::MetricsOnly),
            Control::Release => self.release(),
            other => return Err(ControlError::Unsupported(other)),
        }
        Ok(())
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::CircuitBreaker && *self.name == *name
    }
}
