//! The last calls, by number and not by time: exact, without a lock, and a bit dearer than a window of time.
//!
//! Every call takes the next place of the ring, so threads that share a breaker share that word. A place holds which
//! lap of the ring and which period of the circuit it was written in; reading looks only at what both fit. So nothing
//! is ever cleared, and a late writer is found out by who reads.

use std::sync::OnceLock;

use super::{
    settings::Hot,
    sync::{AtomicU64, Ordering},
    window::Figures,
};

/// How many calls the longest window holds.
pub(super) const CALLS_MAX: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Ring {
    next: AtomicU64,
    /// One more than the period of the last failure or slow call.
    bad: AtomicU64,
    /// One more than the period that was judged with enough calls and found good.
    settled: AtomicU64,
    /// Made at the first call that needs it.
    places: OnceLock<Box<[AtomicU64]>>,
}

/// How a call in the ring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) has_failed: bool,
    pub(super) is_slow: bool,
    pub(super) is_cancelled: bool,
}

impl Entry {
    pub(super) const SUCCESS: Self = Self {
        has_failed: false,
        is_slow: false,
        is_cancelled: false,
    };

    fn bits(self) -> u64 {
        WRITTEN
            | u64::from(self.has_failed) * FAILED
            | u64::from(self.is_slow) * SLOW
            | u64::from(self.is_cancelled) * CANCELLED
    }
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            places: OnceLock::new(),
        }
    }

    /// Counts a call that was not cancelled and says whether the circuit must open.
    ///
    /// A success matters only until there are enough calls: after that it never raises a rate, whatever it
    /// pushes out.
    pub(super) fn record(&self, entry: Entry, generation: u64, hot: &Hot) -> bool {
        self.write(entry, generation);
        if entry == Entry::SUCCESS {
            let period = generation + 1;
            if self.bad.load(Ordering::SeqCst) != period
                || self.settled.load(Ordering::SeqCst) == period
            {
                return false;
            }
        } else {
            self.bad.fetch_max(generation + 1, Ordering::SeqCst);
        }
        self.judge(generation, hot)
    }

    /// Counts a cancelled call. It takes a place, so it may push out a success that kept the rate down.
    pub(super) fn cancel(&self, share: u64, generation: u64, hot: &Hot) -> bool {
        let cancelled = Entry {
            is_cancelled: true,
            ..Entry::SUCCESS
        };
        self.write(cancelled, generation);
        self.unsettle();
        let min_calls = hot.min_calls.load(Ordering::Relaxed);
        self.figures(generation, hot).are_given_up(share, min_calls)
    }

    /// The next success is judged again.
    pub(super) fn unsettle(&self) {
        self.settled.store(0, Ordering::SeqCst);
    }

    #[cold]
    fn judge(&self, generation: u64, hot: &Hot) -> bool {
        let figures = self.figures(generation, hot);
        if figures.total() < hot.min_calls.load(Ordering::Relaxed) {
            return false;
        }
        let is_bad = figures.are_bad(hot);
        if !is_bad {
            self.settled.store(generation + 1, Ordering::SeqCst);
        }
        is_bad
    }

    fn write(&self, entry: Entry, generation: u64) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let place = &self.places()[index(number)];
        let mine = head(number, generation) | entry.bits();
        let mut seen = place.load(Ordering::SeqCst);
        loop {
            // Who was overtaken by a whole lap is no longer among the last calls.
            let behind = (seen >> LAP_SHIFT).wrapping_sub(mine >> LAP_SHIFT) & LAP_MASK;
            if (1..=LAP_MASK / 2).contains(&behind) {
                return;
            }
            match place.compare_exchange_weak(seen, mine, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// What the last calls of this period came to.
    pub(super) fn figures(&self, generation: u64, hot: &Hot) -> Figures {
        let next = self.next.load(Ordering::SeqCst);
        let first = next.saturating_sub(hot.calls.load(Ordering::Relaxed));
        let places = self.places();
        let mut figures = Figures::default();
        for number in first..next {
            let seen = places[index(number)].load(Ordering::SeqCst);
            let is_current = seen & !BITS == head(number, generation) && seen & WRITTEN != 0;
            if !is_current {
                continue;
            }
            let count = |bit| u64::from(seen & bit != 0);
            figures.slow += count(SLOW);
            figures.failed += count(FAILED);
            figures.cancelled += count(CANCELLED);
            figures.succeeded += u64::from(seen & (FAILED | CANCELLED) == 0);
        }
        figures
    }

    fn places(&self) -> &[AtomicU64] {
        self.places
            .get_or_init(|| (0..CAPACITY).map(|_| AtomicU64::new(0)).collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below the capacity")]
const fn index(number: u64) -> usize {
    (number % CAPACITY) as usize
}

const fn head(number: u64, generation: u64) -> u64 {
    let lap = (number / CAPACITY) & LAP_MASK;
    (lap << LAP_SHIFT) | ((generation << GENERATION_SHIFT) & !(LAP_MASK << LAP_SHIFT))
}

/// More than the longest window, so that a window can grow at run time.
const CAPACITY: u64 = 1_024;
const FAILED: u64 = 1;
const SLOW: u64 = 2;
const CANCELLED: u64 = 4;
const WRITTEN: u64 = 8;
const BITS: u64 = 15;
const GENERATION_SHIFT: u32 = 4;
const LAP_SHIFT: u32 = 44;
const LAP_MASK: u64 = (1 << 20) - 1;
