//! What the calls of one instance tell, in a few atomics.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};

use msf_core::classify::Verdict;
use tokio::sync::Notify;

use crate::routing::Ejection;

/// What the calls of one instance told, and what was made of it.
///
/// A success touches the shared words only after a failure, so that calls that succeed never make cores wait for
/// one another. Only the sweep ejects and takes back; a call only counts, and wakes the sweep.
#[derive(Debug)]
pub(crate) struct Cell {
    /// One of the constants below.
    state: AtomicU8,
    /// Failures since the last success.
    consecutive: AtomicU32,
    /// All failures; wraps.
    failures: AtomicU32,
    signal: Signal,
}

/// Successful calls to one instance, as counted by one stripe; wraps.
///
/// Not exact: two threads that count at the same moment may count one. The success rate needs no more, and an
/// exact count would cost each call an exclusive cache line.
#[derive(Debug, Default)]
pub(crate) struct Successes(AtomicU32);

/// Wakes the sweep of a service.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    wake: Arc<Notify>,
    consecutive: u32,
}

impl Cell {
    pub(crate) fn new(signal: &Signal) -> Self {
        Self {
            state: AtomicU8::new(OPEN),
            consecutive: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            signal: signal.clone(),
        }
    }

    /// Whether a pick may take the instance as it is: one relaxed load. Otherwise ask [`admits`](Self::admits).
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// Whether this call may go to the instance. `true` for all while nothing is held against it, for nobody while
    /// it is ejected, and for one when the ejection is over: whoever gets that `true` makes the call.
    pub(crate) fn admits(&self) -> bool {
        self.is_open()
            || self
                .state
                .compare_exchange(HALF_OPEN, PROBING, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Counts the outcome of a call.
    #[inline]
    pub(crate) fn record(&self, verdict: Verdict, successes: &Successes) {
        match verdict {
            Verdict::Success => {
                successes.add();
                if self.consecutive.load(Ordering::Relaxed) != 0 || !self.is_open() {
                    self.recovered();
                }
            }
            Verdict::Failure => self.failed(),
            Verdict::Ignore => {}
        }
    }

    /// What routing needs to know.
    pub(crate) fn ejection(&self) -> Ejection {
        match self.state.load(Ordering::Relaxed) {
            OPEN => Ejection::None,
            EJECTED => Ejection::Ejected,
            _ => Ejection::Probing,
        }
    }

    #[cold]
    fn recovered(&self) {
        self.consecutive.store(0, Ordering::Relaxed);
    }

    #[cold]
    fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let before = self.consecutive.fetch_add(1, Ordering::Relaxed);
        if before == 0 || before + 1 == self.signal.consecutive {
            self.signal.wake.notify_one();
        }
    }
}

impl Successes {
    /// Counts one.
    #[inline]
    pub(crate) fn add(&self) {
        let seen = self.0.load(Ordering::Relaxed);
        self.0.store(seen.wrapping_add(1), Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn seen(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Signal {
    /// A signal that is given at so many failures in a row.
    pub(crate) fn new(consecutive: u32) -> Self {
        Self {
            wake: Arc::new(Notify::new()),
            consecutive,
        }
    }

    /// Waits until a call told something that the sweep should look at.
    pub(crate) async fn given(&self) {
        self.wake.notified().await;
    }
}

const OPEN: u8 = 0;
const EJECTED: u8 = 1;
/// The ejection is over, and nobody has been sent yet.
const HALF_OPEN: u8 = 2;
/// One call is on its way.
const PROBING: u8 = 3;
