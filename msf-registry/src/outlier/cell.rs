//! What the calls of one instance tell, in a few atomics.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};

use msf_core::classify::Verdict;
use tokio::sync::Notify;

use super::{book::Book, sweep::Phase};
use crate::routing::Ejection;

/// What the calls of one instance tell, and what was made of it.
///
/// A success writes to no shared word, except for the first one after a failure, so that calls that succeed never
/// make cores wait for one another. A call only counts, and wakes the sweep; only the sweep ejects and takes back.
/// The three transitions that calls make are each one compare-and-swap: from half-open to probing, and from there to
/// passed, failed or back.
#[derive(Debug)]
#[repr(C)] // What a success reads comes first: it shares a cache line with what a pick reads.
pub(crate) struct Cell {
    /// A [`Phase`].
    phase: AtomicU8,
    /// Failures since the last success.
    in_a_row: AtomicU32,
    /// All failures; wraps.
    failures: AtomicU32,
    is_vouched: AtomicBool,
    signal: Signal,
    /// Of the sweep alone.
    book: Mutex<Book>,
}

/// Successful calls to one instance, as counted by one stripe; wraps.
///
/// Not exact: two threads that count at the same moment may count one. The success rate needs no more, and an
/// exact count would cost each call an exclusive cache line.
#[derive(Debug, Default)]
pub(crate) struct Successes(AtomicU32);

/// Wakes the sweep of a service.
#[derive(Clone, Debug)]
pub(crate) struct Signal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wake: Notify,
    /// Whether a sweep will come by itself, soon.
    is_armed: AtomicBool,
    /// How many failures in a row are worth a sweep at once.
    consecutive: u32,
}

impl Cell {
    /// An instance that nothing is known about.
    pub(crate) fn new(signal: &Signal) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Open as u8),
            in_a_row: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            is_vouched: AtomicBool::new(false),
            signal: signal.clone(),
            book: Mutex::default(),
        }
    }

    /// Whether a pick may take the instance as it is: one relaxed load. Otherwise ask [`probes`](Self::probes).
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == Phase::Open as u8
    }

    /// Whether this call may go to the instance, as [`probes`](Self::probes) or because nothing is held against it.
    #[cfg(test)]
    pub(crate) fn admits(&self) -> bool {
        self.is_open() || self.probes()
    }

    /// Counts the outcome of a call; `is_probe` if it is the one that [finds out](Self::probes): one that
    /// began before the ejection ends when it ends, and must not let another probe go. `successes` is any of the
    /// instance's.
    #[inline]
    pub(crate) fn record(&self, verdict: Verdict, successes: &Successes, is_probe: bool) {
        match verdict {
            Verdict::Success => {
                successes.add();
                if self.in_a_row.load(Ordering::Relaxed) != 0 || !self.is_open() {
                    self.succeeded(is_probe);
                }
            }
            Verdict::Failure => self.failed(is_probe),
            Verdict::Ignore => self.release(is_probe),
        }
    }

    /// A call ended and told nothing. If it was the one that was to find out, another may.
    #[inline]
    pub(crate) fn release(&self, is_probe: bool) {
        if is_probe && !self.is_open() {
            self.swap(Phase::Probing, Phase::HalfOpen);
        }
    }

    /// An active check of the instance passed: if it is ejected, a call may find out at once.
    pub(crate) fn vouch(&self) {
        if !self.is_open() && !self.is_vouched.swap(true, Ordering::Relaxed) {
            self.signal.give();
        }
    }

    /// What routing needs to know.
    pub(crate) fn ejection(&self) -> Ejection {
        match self.phase() {
            Phase::Open | Phase::Passed => Ejection::None,
            Phase::Ejected | Phase::Failed => Ejection::Ejected,
            Phase::HalfOpen | Phase::Probing => Ejection::Probing,
        }
    }

    /// Failures since the last success, or since the phase last changed.
    pub(crate) fn failures_in_a_row(&self) -> u32 {
        self.in_a_row.load(Ordering::Relaxed)
    }

    pub(super) fn phase(&self) -> Phase {
        let word = self.phase.load(Ordering::Relaxed);
        PHASES
            .into_iter()
            .find(|phase| *phase as u8 == word)
            .unwrap_or(Phase::Open)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.in_a_row.store(0, Ordering::Relaxed);
        self.is_vouched.store(false, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::SeqCst)
    }

    pub(super) fn is_vouched(&self) -> bool {
        self.is_vouched.load(Ordering::Relaxed)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self, from: Phase, to: Phase) -> bool {
        self.phase
            .compare_exchange(from as u8, to as u8, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether this call is the one that finds out: none is while the instance is ejected, and one when that is over.
    /// Whoever gets that one `true` makes the call, and [records](Self::record) or [releases](Self::release) it as the
    /// probe.
    #[cold]
    pub(crate) fn probes(&self) -> bool {
        let is_mine = self.swap(Phase::HalfOpen, Phase::Probing);
        if is_mine {
            // The sweep sees to it that the probe does not take for ever.
            self.signal.give();
        }
        is_mine
    }

    #[cold]
    fn succeeded(&self, is_probe: bool) {
        self.in_a_row.store(0, Ordering::Relaxed);
        if is_probe && self.swap(Phase::Probing, Phase::Passed) {
            self.signal.give();
        }
    }

    #[cold]
    fn failed(&self, is_probe: bool) {
        // Before the look at whether a sweep will come: see `Signal::arm`.
        self.failures.fetch_add(1, Ordering::SeqCst);
        let in_a_row = self
            .in_a_row
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        if (is_probe && self.swap(Phase::Probing, Phase::Failed)) || self.signal.is_due(in_a_row) {
            self.signal.give();
        }
    }
}

impl Successes {
    /// A count that goes on from here.
    pub(crate) const fn from(seen: u32) -> Self {
        Self(AtomicU32::new(seen))
    }

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
    /// A signal that is given at so many failures in a row, 0 for none.
    pub(crate) fn new(consecutive: u32) -> Self {
        Self(Arc::new(Shared {
            wake: Notify::new(),
            is_armed: AtomicBool::new(false),
            consecutive,
        }))
    }

    /// A signal for cells that nobody sweeps over.
    pub(crate) fn never() -> Self {
        let never = Self::new(0);
        // As if a sweep came: then only a row of 0 failures would be worth one.
        never.arm(true);
        never
    }

    /// Waits until a call told something that a sweep should look at. Dropping it loses nothing: what was not
    /// waited for stays given.
    pub(crate) async fn given(&self) {
        self.0.wake.notified().await;
    }

    /// Says whether a sweep will come by itself, within a step of the window. `false` is said before the counts are read: a failure that the
    /// sweep does not see any more gives the signal.
    pub(super) fn arm(&self, is_armed: bool) {
        self.0.is_armed.store(is_armed, Ordering::SeqCst);
    }

    fn is_due(&self, in_a_row: u32) -> bool {
        in_a_row == self.0.consecutive || !self.0.is_armed.load(Ordering::SeqCst)
    }

    fn give(&self) {
        self.0.wake.notify_one();
    }
}

const PHASES: [Phase; 6] = [
    Phase::Open,
    Phase::Ejected,
    Phase::HalfOpen,
    Phase::Probing,
    Phase::Passed,
    Phase::Failed,
];
