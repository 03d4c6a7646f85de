//! Deposits and withdrawals of the last [`BUCKETS`] ticks.
//!
//! Every call deposits, few withdraw. So deposits are counted in stripes, each word holding the tick beside the count
//! as one value; withdrawals are counted under a lock, which makes "read the deposits, compare, count" one step.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::rule::PARTS;
use crate::stripe::{self, Padded, STRIPES};

/// How many buckets the window has.
pub(super) const BUCKETS: u64 = 10;

/// What may be withdrawn in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Ten-thousandths of a withdrawal per deposit.
    pub(super) ratio: u64,
    /// Withdrawals that need no deposit.
    pub(super) reserve: u64,
}

impl Allowance {
    /// Withdrawals that so many deposits allow. Integers, so that 0.6 is neither 0 nor 1.
    pub(super) const fn of(&self, deposits: u64) -> u64 {
        self.reserve
            .saturating_add(deposits.saturating_mul(self.ratio) / PARTS)
    }
}

/// Counts of the last ticks; ticks only move forward.
#[derive(Debug)]
pub(super) struct Window {
    deposits: [Padded<[AtomicU64; WORDS]>; STRIPES],
    withdrawals: Mutex<Withdrawals>,
}

#[derive(Debug)]
struct Withdrawals {
    allowance: Allowance,
    latest: u64,
    /// Tick and count.
    buckets: [(u64, u64); WORDS],
}

impl Window {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            deposits: std::array::from_fn(|_| Padded(std::array::from_fn(|_| AtomicU64::new(0)))),
            withdrawals: Mutex::new(Withdrawals {
                allowance,
                latest: 0,
                buckets: [(0, 0); WORDS],
            }),
        }
    }

    #[inline]
    pub(super) fn deposit(&self, tick: u64) {
        let word = &self.deposits[stripe::own()].0[(tick % BUCKETS) as usize];
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let next = match (seen >> COUNT_BITS).cmp(&tick) {
                std::cmp::Ordering::Less => (tick << COUNT_BITS) | 1,
                // A full count stays full: it must not run into the tick.
                std::cmp::Ordering::Equal if seen & COUNT_MAX == COUNT_MAX => return,
                std::cmp::Ordering::Equal => seen + 1,
                // Of a thread that slept for a whole window; its deposit has expired.
                std::cmp::Ordering::Greater => return,
            };
            match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether one more withdrawal fits into the window that ends with this tick; if so, the tick at which it is counted.
    pub(super) fn withdraw(&self, tick: u64) -> Option<u64> {
        let mut withdrawals = self.lock();
        let tick = withdrawals.advance(tick);
        let allowed = withdrawals.allowance.of(self.deposited(tick));
        if withdrawals.sum(tick) >= allowed {
            return None;
        }
        withdrawals.buckets[(tick % BUCKETS) as usize].1 += 1;
        Some(tick)
    }

    /// Takes back a withdrawal that was counted at this tick, unless it has left the window.
    pub(super) fn give_back(&self, tick: u64) {
        let mut withdrawals = self.lock();
        let (at, count) = &mut withdrawals.buckets[(tick % BUCKETS) as usize];
        if *at == tick {
            *count = count.saturating_sub(1);
        }
    }

    /// How many withdrawals would be allowed now.
    pub(super) fn available(&self, tick: u64) -> u64 {
        let withdrawals = self.lock();
        let tick = tick.max(withdrawals.latest);
        let allowed = withdrawals.allowance.of(self.deposited(tick));
        allowed.saturating_sub(withdrawals.sum(tick))
    }

    pub(super) fn set_allowance(&self, allowance: Allowance) {
        self.lock().allowance = allowance;
    }

    fn deposited(&self, tick: u64) -> u64 {
        let words = self.deposits.iter().flat_map(|stripe| &stripe.0);
        words
            .map(|word| word.load(Ordering::Relaxed))
            // A deposit may be of a thread that read the clock later than this one.
            .filter(|word| {
                (tick.saturating_sub(BUCKETS - 1)..=tick).contains(&(word >> COUNT_BITS))
            })
            .map(|word| word & COUNT_MAX)
            .sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Withdrawals> {
        self.withdrawals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Withdrawals {
    /// The tick to work with: clocks of two threads may be read in one order and arrive in the other.
    fn advance(&mut self, tick: u64) -> u64 {
        self.latest = self.latest.max(tick);
        let bucket = &mut self.buckets[(self.latest % BUCKETS) as usize];
        if bucket.0 != self.latest {
            *bucket = (self.latest, 0);
        }
        self.latest
    }

    fn sum(&self, tick: u64) -> u64 {
        let live = self.buckets.iter().filter(|(at, _)| at + BUCKETS > tick);
        live.map(|(_, count)| count).sum()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "ten")]
const WORDS: usize = BUCKETS as usize;

/// 268 million calls per bucket and stripe; the 36 bits above last for twenty years of the shortest buckets.
const COUNT_BITS: u32 = 28;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
