//! The handle: a schedule with a switch.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use msf_core::metrics::{Metrics, MetricsError};

use super::{
    builder::FaultsBuilder, error::InvalidFaults, kind::Fault, metrics::FaultMetrics,
    schedule::Schedule,
};
use crate::policies::{self, Control, ControlError, Kind, Policy, Snapshot};

/// Faults with a switch. Clones share it.
///
/// It is off when it is built, and needs no runtime and no tower: [`next_fault`](Self::next_fault) says what to do
/// to a call.
///
/// ```
/// use msf_resilience::fault::{Fault, Faults};
///
/// let faults = Faults::builder("payment").error(0.25).seed(1).build()?;
/// assert_eq!(faults.next_fault(), None);
///
/// faults.enable();
/// let failed = (0..100).filter(|_| faults.next_fault() == Some(Fault::Error)).count();
/// assert_eq!(failed, 25);
/// # Ok::<(), msf_resilience::fault::InvalidFaults>(())
/// ```
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    /// Enabled by the program and not held by an operator; all that a call reads while nothing is injected.
    is_active: AtomicBool,
    switch: Mutex<Switch>,
    next: AtomicU64,
    schedule: Mutex<Schedule>,
    metrics: FaultMetrics,
}

#[derive(Clone, Copy, Debug, Default)]
struct Switch {
    is_enabled: bool,
    is_held: bool,
}

impl Faults {
    /// Begins a set of faults. The name appears in logs and as a metric label: use the callee's.
    pub fn builder(name: impl Into<Arc<str>>) -> FaultsBuilder {
        FaultsBuilder::new(name.into())
    }

    pub(super) fn new(
        name: Arc<str>,
        schedule: Schedule,
        metrics: Option<&Metrics>,
    ) -> Result<Self, MetricsError> {
        let handles = match metrics {
            Some(metrics) => FaultMetrics::register(metrics, &name)?,
            None => FaultMetrics::unregistered(),
        };
        let shared = Arc::new(Shared {
            name,
            is_active: AtomicBool::new(false),
            switch: Mutex::default(),
            next: AtomicU64::new(0),
            schedule: Mutex::new(schedule),
            metrics: handles,
        });
        policies::register(&shared);
        Ok(Self { shared })
    }

    /// Injects from now on, and says so in the log at `WARN`, once. An operator's hold stays in force.
    pub fn enable(&self) {
        self.shared.switch(|switch| switch.is_enabled = true);
    }

    /// Injects nothing from now on. Calls that already wait or hang are left to their callers.
    pub fn disable(&self) {
        self.shared.switch(|switch| switch.is_enabled = false);
    }

    /// Whether faults are injected now.
    #[inline]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.is_active.load(Ordering::Relaxed)
    }

    /// What is to be done to the next call; counts it as done.
    ///
    /// One relaxed load while nothing is injected.
    #[inline]
    #[must_use]
    pub fn next_fault(&self) -> Option<Fault> {
        if self.is_active() {
            self.shared.draw()
        } else {
            None
        }
    }

    /// Changes shares, latency and seed; calls keep their numbers. The name and the metrics of the builder are not used.
    ///
    /// # Errors
    ///
    /// [`InvalidFaults`]; then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, builder: FaultsBuilder) -> Result<(), InvalidFaults> {
        let schedule = builder.schedule()?;
        *lock(&self.shared.schedule) = schedule;
        Ok(())
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Counts a fault that was not drawn.
    pub(super) fn count(&self, fault: Fault) {
        self.shared.metrics.injected[fault.index()].inc();
    }
}

impl Shared {
    #[cold]
    fn draw(&self) -> Option<Fault> {
        let schedule = *lock(&self.schedule);
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        let fault = schedule.fault(call)?;
        self.metrics.injected[fault.index()].inc();
        Some(fault)
    }

    fn switch(&self, change: impl FnOnce(&mut Switch)) {
        let mut switch = lock(&self.switch);
        change(&mut switch);
        let is_active = switch.is_enabled && !switch.is_held;
        let was_active = self.is_active.swap(is_active, Ordering::Relaxed);
        let faults = &*self.name;
        match (was_active, is_active) {
            (false, true) => {
                // Another set of faults may have the same name, as after a reload.
                self.metrics.active.inc();
                let [latency, error, hang, reset] = lock(&self.schedule).shares;
                tracing::warn!(
                    faults,
                    latency,
                    error,
                    hang,
                    reset,
                    "fault injection is active; shares in ten-thousandths"
                );
            }
            (true, false) => {
                self.metrics.active.dec();
                tracing::info!(faults, "fault injection has ended");
            }
            _ => {}
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Who alerts on the gauge would otherwise look for faults that nobody injects.
        if *self.is_active.get_mut() {
            self.metrics.active.dec();
        }
    }
}

impl Policy for Shared {
    fn snapshot(&self) -> Snapshot {
        let switch = *lock(&self.switch);
        let state = match (switch.is_enabled, switch.is_held) {
            (false, _) => "off",
            (true, false) => "active",
            (true, true) => "held",
        };
        let [latency, error, hang, reset] = &self.metrics.injected;
        #[expect(clippy::cast_precision_loss, reason = "a count for people")]
        let figure = |counter: &msf_core::metrics::Counter| counter.get() as f64;
        Snapshot::new(Kind::Fault, &self.name)
            .in_state(state)
            .with("injected_latency_total", figure(latency))
            .with("injected_error_total", figure(error))
            .with("injected_hang_total", figure(hang))
            .with("injected_reset_total", figure(reset))
    }

    fn control(&self, control: Control) -> Result<(), ControlError> {
        match control {
            Control::Disable => self.switch(|switch| switch.is_held = true),
            // Gives back what was held. It never enables what the program did not.
            Control::Release => self.switch(|switch| switch.is_held = false),
            other => return Err(ControlError::Unsupported(other)),
        }
        Ok(())
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::Fault && *self.name == *name
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("name", &self.name())
            .field("is_active", &self.is_active())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
