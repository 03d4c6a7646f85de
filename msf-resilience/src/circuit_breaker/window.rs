//! Counts of the last [`BUCKETS`] ticks, exact and without a lock.
//!
//! A tick is one bucket of time. Every kind of outcome has a row of words, one per bucket, and a word
//! holds the tick that it counts beside the count. So one compare-and-swap both finds out whether the
//! bucket is still that of the tick and adds to it: an expired bucket is taken over by the first who
//! needs it, and who comes too late for a bucket finds a newer tick in it and leaves it alone.
//!
//! Ticks of one closed period of the circuit are more than [`BUCKETS`] away from those of every other
//! (see [`tick`]), so a record that arrives after its period has ended is never in the sum of a later one.
//!
//! Readers sum failures before successes (cancellations before both). A call that ends meanwhile can
//! so be missing among the failures, never among the successes alone: the rate that is read was never
//! above the true one, and whoever adds the missing failure reads again after it. Sequentially
//! consistent order makes "after" hold between words: of two that add at the same time, the later in
//! that order sees both.

use super::{
    settings::Settings,
    sync::{AtomicU64, Ordering},
};

/// How many buckets the window has.
pub(super) const BUCKETS: u64 = 10;

/// What a call in the closed circuit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Success,
    Failure,
    Cancelled,
}

/// Successes, failures and cancellations by tick.
#[derive(Debug)]
pub(super) struct Window {
    succeeded: Row,
    failed: Row,
    cancelled: Row,
}

/// The tick at a time within a generation of the circuit.
pub(super) const fn tick(now_ns: u64, generation: u64, settings: &Settings) -> u64 {
    now_ns / settings.bucket_ns + generation.wrapping_mul(BUCKETS + 1)
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            succeeded: Row::new(),
            failed: Row::new(),
            cancelled: Row::new(),
        }
    }

    /// Counts one call and says whether the counts of the window now ask for the circuit to open.
    pub(super) fn record(&self, kind: Kind, tick: u64, settings: &Settings) -> bool {
        match kind {
            Kind::Success => self.succeeded.add(tick),
            Kind::Failure => self.failed.add(tick),
            Kind::Cancelled => {
                self.cancelled.add(tick);
                return self.is_all_cancelled(tick, settings);
            }
        }
        self.is_failing(tick, settings)
    }

    /// A success is a reason to look as well: it may be the call that makes up the minimum, or the
    /// first after older successes left the window.
    fn is_failing(&self, tick: u64, settings: &Settings) -> bool {
        let failed = self.failed.sum(tick);
        if failed == 0 {
            return false;
        }
        let total = failed + self.succeeded.sum(tick);
        total >= settings.min_calls && settings.is_too_many(failed, total)
    }

    fn is_all_cancelled(&self, tick: u64, settings: &Settings) -> bool {
        let cancelled = self.cancelled.sum(tick);
        cancelled >= settings.min_calls
            && self.failed.sum(tick) == 0
            && self.succeeded.sum(tick) == 0
    }
}

/// One word per bucket: the tick in the upper bits, the count in the lower [`COUNT_BITS`].
#[derive(Debug)]
struct Row([AtomicU64; WORDS]);

impl Row {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn add(&self, tick: u64) {
        let word = &self.0[(tick % BUCKETS) as usize];
        let mut seen = word.load(Ordering::SeqCst);
        loop {
            let next = match (seen >> COUNT_BITS).cmp(&tick) {
                std::cmp::Ordering::Less => (tick << COUNT_BITS) | 1,
                // A full count stays full: it must not run into the tick.
                std::cmp::Ordering::Equal if seen & COUNT_MAX == COUNT_MAX => return,
                std::cmp::Ordering::Equal => seen + 1,
                std::cmp::Ordering::Greater => return,
            };
            match word.compare_exchange_weak(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn sum(&self, tick: u64) -> u64 {
        let words = self.0.iter().map(|word| word.load(Ordering::SeqCst));
        words
            .filter(|word| (word >> COUNT_BITS) + BUCKETS > tick)
            .map(|word| word & COUNT_MAX)
            .sum()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "ten")]
const WORDS: usize = BUCKETS as usize;

/// 268 million calls per bucket; the 36 bits above last for twenty years of the shortest buckets.
const COUNT_BITS: u32 = 28;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
