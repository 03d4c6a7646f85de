//! The phases in which a server ends, and the signal that tells everybody.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time};

/// How far a server is on its way out. Phases follow one another and never go back.
///
/// ```
/// use msf_core::server::Phase;
///
/// assert!(Phase::Serving < Phase::Draining && Phase::Stopping < Phase::Cut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the phases are the protocol; a new one breaks it"
)]
#[repr(u8)]
pub enum Phase {
    /// Business as usual.
    Serving = 0,
    /// Readiness fails and callers are asked to go elsewhere (`Connection: close`, GOAWAY), but new
    /// connections and requests are still served, since load balancers learn of it late.
    Draining = 1,
    /// The listener is closed; requests in flight go on.
    Stopping = 2,
    /// What is still open is cut.
    Cut = 3,
}

/// How long each phase of the end may take.
///
/// ```
/// use std::time::Duration;
/// use msf_core::server::DrainPlan;
///
/// let plan = DrainPlan::new(Duration::from_secs(5), Duration::from_secs(20));
/// assert_eq!(plan.total(), Duration::from_secs(25));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainPlan {
    delay: Duration,
    timeout: Duration,
}

/// Leads a server through its [`Phase`]s. Clones lead the same server.
///
/// ```
/// use msf_core::server::{Drain, Phase};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let drain = Drain::new();
/// let signal = drain.signal();
///
/// drain.advance(Phase::Draining);
///
/// signal.reached(Phase::Draining).await;
/// drain.advance(Phase::Serving); // never back
/// assert_eq!(signal.phase(), Phase::Draining);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Drain {
    shared: Arc<Shared>,
}

/// Tells when a server drains; a handler finds one in [`Connection::drain`](super::Connection::drain).
///
/// A handler of an endless response (server-sent events, a WebSocket) waits for
/// [`DrainSignal::draining`] beside its own work and says goodbye; otherwise it is cut at the deadline.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Read on every response, so it is not behind the lock that a watch channel has.
    phase: AtomicU8,
    changes: watch::Sender<()>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Serving as u8),
            changes: watch::Sender::new(()),
        }
    }
}

impl Shared {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            2 => Phase::Stopping,
            _ => Phase::Cut,
        }
    }
}

impl Drain {
    /// A server that serves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.phase()
    }

    /// Goes on to a phase; does nothing when it was reached before.
    pub fn advance(&self, phase: Phase) {
        let before = self.shared.phase.fetch_max(phase as u8, Ordering::AcqRel);
        if before < phase as u8 {
            self.shared.changes.send_replace(());
        }
    }

    /// A signal for those who have to react.
    #[must_use]
    pub fn signal(&self) -> DrainSignal {
        DrainSignal {
            shared: self.shared.clone(),
        }
    }

    /// Goes through the phases in the times of a plan and returns when the last one is reached.
    ///
    /// # Cancel safety
    ///
    /// A dropped run leaves the phase as it is; another run goes on from there.
    pub async fn run(&self, plan: DrainPlan) {
        self.advance(Phase::Draining);
        self.advance_after(plan.delay, Phase::Stopping).await;
        self.advance_after(plan.timeout, Phase::Cut).await;
    }

    /// Goes on to a phase, unless somebody else does so before.
    async fn advance_after(&self, wait: Duration, phase: Phase) {
        // Elapsed is the usual case; the other one is a second signal.
        let _reached = time::timeout(wait, self.signal().reached(phase)).await;
        self.advance(phase);
    }
}

impl DrainSignal {
    /// The current phase; one atomic load.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.phase()
    }

    /// Waits until a phase is reached; at once when it was.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and called again without missing anything.
    pub async fn reached(&self, phase: Phase) {
        // Subscribed before the phase is read: a change between the two is then seen as a change.
        let mut changes = self.shared.changes.subscribe();
        while self.phase() < phase {
            if changes.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// Waits until the server begins to drain.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }
}

impl DrainPlan {
    /// Waits `delay` between failing readiness and closing the listener, then at most `timeout` for
    /// requests in flight.
    #[must_use]
    pub const fn new(delay: Duration, timeout: Duration) -> Self {
        Self { delay, timeout }
    }

    /// The longest time from the first phase to the last.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.delay.saturating_add(self.timeout)
    }

    /// How long new connections are still taken.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// How long requests in flight may go on.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_plan_goes_through_the_phases_in_time() {
        let drain = Drain::new();
        let plan = DrainPlan::new(Duration::from_secs(5), Duration::from_secs(20));
        let mut run = spawn(async { drain.run(plan).await });

        assert_pending!(run.poll());
        assert_eq!(drain.phase(), Phase::Draining);
        time::advance(Duration::from_millis(4_999)).await;
        assert_pending!(run.poll());
        assert_eq!(drain.phase(), Phase::Draining);
        time::advance(Duration::from_millis(2)).await;
        assert_pending!(run.poll());
        assert_eq!(drain.phase(), Phase::Stopping);
        time::advance(Duration::from_secs(20)).await;
        assert_ready!(run.poll());
        assert_eq!(drain.phase(), Phase::Cut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_was_dropped_goes_on_from_its_phase() {
        let drain = Drain::new();
        drain.advance(Phase::Stopping);
        let plan = DrainPlan::new(Duration::from_secs(500), Duration::from_secs(1));
        let mut run = spawn(async { drain.run(plan).await });
        assert_pending!(run.poll());
        time::advance(Duration::from_millis(1_001)).await;
        assert_ready!(run.poll());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_does_not_sleep_through_what_somebody_else_decided() {
        let drain = Drain::new();
        let plan = DrainPlan::new(Duration::from_secs(500), Duration::from_secs(500));
        let mut run = spawn(async { drain.run(plan).await });
        assert_pending!(run.poll());
        drain.advance(Phase::Stopping);
        assert!(run.is_woken());
        assert_pending!(run.poll());
        drain.advance(Phase::Cut);
        assert!(run.is_woken());
        assert_ready!(run.poll());
    }

    #[tokio::test]
    async fn waiters_wake_once_their_phase_is_reached_or_passed() {
        let drain = Drain::new();
        let signal = drain.signal();
        let mut draining = spawn(signal.draining());
        let mut stopping = spawn(signal.reached(Phase::Stopping));
        assert_pending!(draining.poll());
        assert_pending!(stopping.poll());

        drain.advance(Phase::Draining);
        assert!(draining.is_woken());
        assert_ready!(draining.poll());
        assert_pending!(stopping.poll());

        drain.advance(Phase::Cut);
        assert_ready!(stopping.poll());
    }

    #[tokio::test]
    async fn a_phase_that_has_passed_is_reached_at_once() {
        let drain = Drain::new();
        drain.advance(Phase::Cut);
        assert_ready!(spawn(drain.signal().draining()).poll());
    }
}
