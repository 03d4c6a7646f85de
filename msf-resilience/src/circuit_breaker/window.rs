//! Counts of the last [`BUCKETS`] ticks, exact and without a lock.
//!
//! A tick is one bucket of time. Every kind of outcome has a row of words, one per bucket, and a word
//! holds the tick that it counts beside the count. So one compare-and-swap both finds out whether the
//! bucket is still that of the tick and adds to it: an expired bucket is taken over by the first who
//! needs it, and who comes too late for a bucket finds a newer tick in it and leaves it alone.
//!
//! Successes are what a healthy circuit counts, so they have a row per stripe of threads; the others are rare and share
//! one. The stripes are summed only when the outcome may change the verdict: not for a success while no failure is in
//! the window, nor once a tick has been judged with enough calls (more successes only lower the rate).
//!
//! The present tick is published with the time that it ends, so that a call need not divide. The ticks of one period of
//! the circuit are more than [`BUCKETS`] away from those of the next ([`restart`](Window::restart)), so a record that arrives
//! after its period has ended is never in the sum of a later one.
//!
//! Readers sum failures before successes (cancellations before both). A call that ends meanwhile can
//! so be missing among the failures, never among the successes alone: the rate that is read was never
//! above the true one, and whoever adds the missing failure reads again after it. Sequentially
//! consistent order makes "after" hold between words: of two that add at the same time, the later in
//! that order sees both.

use std::sync::PoisonError;

use super::{
    settings::{Hot, reaches},
    sync::{AtomicU64, Mutex, Ordering, own_stripe},
};

/// How many buckets the window has.
pub(super) const BUCKETS: u64 = 10;

/// Successes, failures, slow calls and cancellations by tick.
#[derive(Debug)]
pub(super) struct Window<const STRIPES: usize> {
    /// When the present tick ends; 0 before the first call of a period.
    ends: AtomicU64,
    tick: AtomicU64,
    /// The last tick with a failure or a slow call.
    bad: AtomicU64,
    /// The last tick that was judged with enough calls and found good.
    settled: AtomicU64,
    succeeded: [Stripe; STRIPES],
    failed: Row,
    slow: Row,
    cancelled: Row,
    turning: Mutex<()>,
}

/// Figures of the calls in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
    pub(super) cancelled: u64,
}

impl Figures {
    pub(super) const fn total(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// Whether failures or slow calls are too many.
    pub(super) fn are_bad(&self, hot: &Hot) -> bool {
        let (failure_rate, slow_rate) = hot.rates();
        let reached = |part, rate| part > 0 && rate > 0 && reaches(part, self.total(), rate);
        reached(self.failed, failure_rate) || reached(self.slow, slow_rate)
    }

    /// Whether so much was cancelled that nobody seems to wait for the callee any more.
    pub(super) fn are_given_up(&self, share: u64, min_calls: u64) -> bool {
        let all = self.total() + self.cancelled;
        all >= min_calls && reaches(self.cancelled, all, share)
    }
}

/// On cache lines of its own (two of them: processors fetch pairs).
#[derive(Debug)]
#[repr(align(128))]
struct Stripe(Row);

impl<const STRIPES: usize> Window<STRIPES> {
    pub(super) fn new() -> Self {
        Self {
            ends: AtomicU64::new(0),
            // So that what was never counted is out of the window.
            tick: AtomicU64::new(BUCKETS + 1),
            bad: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            succeeded: std::array::from_fn(|_| Stripe(Row::new())),
            failed: Row::new(),
            slow: Row::new(),
            cancelled: Row::new(),
            turning: Mutex::new(()),
        }
    }

    /// The tick at this time.
    #[inline]
    pub(super) fn tick(&self, now_ns: u64, hot: &Hot) -> u64 {
        if now_ns < self.ends.load(Ordering::Acquire) {
            self.tick.load(Ordering::Acquire)
        } else {
            self.turn(now_ns, hot.bucket_ns.load(Ordering::Relaxed))
        }
    }

    #[cold]
    #[inline(never)]
    fn turn(&self, now_ns: u64, bucket_ns: u64) -> u64 {
        self.with_turn(|ends, tick| {
            if now_ns < ends {
                return (ends, tick);
            }
            let steps = match ends {
                0 => 0,
                _ => ((now_ns - ends) / bucket_ns + 1).min(BUCKETS + 1),
            };
            (end_of_bucket(now_ns, bucket_ns), tick + steps)
        })
    }

    /// Begins an empty window. The circuit must not be counting, and must not have been since its last period.
    pub(super) fn restart(&self) {
        self.with_turn(|_, tick| (0, tick + BUCKETS + 1));
    }

    /// Goes on with buckets of another length. What is in the window leaves it bucket by bucket of the new length.
    pub(super) fn rescale(&self, now_ns: u64, old_bucket_ns: u64, bucket_ns: u64) {
        self.turn(now_ns, old_bucket_ns);
        self.with_turn(|_, tick| (end_of_bucket(now_ns, bucket_ns), tick));
    }

    /// The next success is judged again.
    pub(super) fn unsettle(&self) {
        self.settled.store(0, Ordering::SeqCst);
    }

    /// Counts a success and says whether the circuit must open.
    ///
    /// A success is a reason to look as well: it may be the call that makes up the minimum, or the
    /// first after older successes left the window.
    #[inline]
    pub(super) fn succeed(&self, tick: u64, hot: &Hot) -> bool {
        self.succeeded[own_stripe() % STRIPES].0.add(tick);
        self.bad.load(Ordering::SeqCst) + BUCKETS > tick && self.judge_once(tick, hot)
    }

    /// Counts a call that failed, was slow, or both.
    pub(super) fn note(&self, has_failed: bool, is_slow: bool, tick: u64, hot: &Hot) -> bool {
        if is_slow {
            self.slow.add(tick);
        }
        if has_failed {
            self.failed.add(tick);
        } else {
            self.succeeded[own_stripe() % STRIPES].0.add(tick);
        }
        self.bad.fetch_max(tick, Ordering::SeqCst);
        self.judge(tick, hot)
    }

    /// Counts a cancelled call; too many are a reason to open if they are such a share of all.
    pub(super) fn cancel(&self, share: u64, tick: u64, hot: &Hot) -> bool {
        self.cancelled.add(tick);
        let min_calls = hot.min_calls.load(Ordering::Relaxed);
        self.figures_at(tick).are_given_up(share, min_calls)
    }

    #[inline(never)]
    fn judge_once(&self, tick: u64, hot: &Hot) -> bool {
        self.settled.load(Ordering::SeqCst) != tick && self.judge(tick, hot)
    }

    #[cold]
    fn judge(&self, tick: u64, hot: &Hot) -> bool {
        let figures = self.figures_at(tick);
        if figures.total() < hot.min_calls.load(Ordering::Relaxed) {
            return false;
        }
        let is_bad = figures.are_bad(hot);
        if !is_bad {
            self.settled.store(tick, Ordering::SeqCst);
        }
        is_bad
    }

    /// What is in the window now.
    pub(super) fn figures(&self, now_ns: u64, hot: &Hot) -> Figures {
        self.figures_at(self.tick(now_ns, hot))
    }

    fn figures_at(&self, tick: u64) -> Figures {
        let cancelled = self.cancelled.sum(tick);
        let slow = self.slow.sum(tick);
        let failed = self.failed.sum(tick);
        let stripes = self.succeeded.iter();
        Figures {
            succeeded: stripes.map(|stripe| stripe.0.sum(tick)).sum(),
            failed,
            slow,
            cancelled,
        }
    }

    /// Changes the present tick and its end: the tick first, so that who sees the new end sees the new tick.
    fn with_turn(&self, change: impl FnOnce(u64, u64) -> (u64, u64)) -> u64 {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = self.ends.load(Ordering::Relaxed);
        let (ends, tick) = change(ends, self.tick.load(Ordering::Relaxed));
        self.tick.store(tick, Ordering::Release);
        self.ends.store(ends, Ordering::Release);
        tick
    }
}

fn end_of_bucket(now_ns: u64, bucket_ns: u64) -> u64 {
    (now_ns / bucket_ns + 1).saturating_mul(bucket_ns)
}

/// One word per bucket: the tick in the upper bits, the count in the lower [`COUNT_BITS`].
#[derive(Debug)]
struct Row([AtomicU64; WORDS]);

impl Row {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline]
    fn add(&self, tick: u64) {
        let word = &self.0[(tick % BUCKETS) as usize];
        let seen = word.load(Ordering::SeqCst);
        let is_usual = seen >> COUNT_BITS == tick && seen & COUNT_MAX != COUNT_MAX;
        let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        if !is_usual
            || word
                .compare_exchange(seen, seen + 1, success, failure)
                .is_err()
        {
            Self::add_to(word, tick);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_to(word: &AtomicU64, tick: u64) {
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
