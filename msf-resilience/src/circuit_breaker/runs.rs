//! Failures in a row, without a clock; a success that breaks no row only reads.

use super::sync::{AtomicU64, Ordering};

/// The period of the circuit in the upper half, below it cancelled calls and failures in a row.
#[derive(Debug)]
pub(super) struct Runs(AtomicU64);

impl Runs {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether nothing is counted, in whatever period.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        self.0.load(Ordering::SeqCst) & COUNTS == 0
    }

    #[inline]
    pub(super) fn succeed(&self, generation: u64) {
        let seen = self.0.load(Ordering::SeqCst);
        if seen & COUNTS != 0 && seen >> PERIOD_SHIFT == period(generation) {
            self.reset(generation);
        }
    }

    #[cold]
    #[inline(never)]
    fn reset(&self, generation: u64) {
        self.change(generation, |_, _| (0, 0));
    }

    /// The failures in a row with this one.
    pub(super) fn fail(&self, generation: u64) -> u64 {
        self.change(generation, |_, failed| (0, failed + 1)).1
    }

    /// The cancelled calls in a row with this one. They say nothing of the failures before them.
    pub(super) fn cancel(&self, generation: u64) -> u64 {
        self.change(generation, |cancelled, failed| (cancelled + 1, failed))
            .0
    }

    pub(super) fn failed(&self, generation: u64) -> u64 {
        let seen = self.0.load(Ordering::SeqCst);
        if seen >> PERIOD_SHIFT == period(generation) {
            seen & RUN_MAX
        } else {
            0
        }
    }

    fn change(&self, generation: u64, next: impl Fn(u64, u64) -> (u64, u64)) -> (u64, u64) {
        let mut seen = self.0.load(Ordering::SeqCst);
        loop {
            let ahead = (seen >> PERIOD_SHIFT).wrapping_sub(period(generation)) & PERIOD_MASK;
            let (cancelled, failed) = match ahead {
                0 => ((seen >> RUN_BITS) & RUN_MAX, seen & RUN_MAX),
                // Too late: another period has begun.
                1..=PERIOD_HALF => return (0, 0),
                _ => (0, 0),
            };
            let (cancelled, failed) = next(cancelled, failed);
            let (cancelled, failed) = (cancelled.min(RUN_MAX), failed.min(RUN_MAX));
            let word = (period(generation) << PERIOD_SHIFT) | (cancelled << RUN_BITS) | failed;
            match self
                .0
                .compare_exchange_weak(seen, word, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return (cancelled, failed),
                Err(now) => seen = now,
            }
        }
    }
}

const fn period(generation: u64) -> u64 {
    generation & PERIOD_MASK
}

const RUN_BITS: u32 = 16;
const RUN_MAX: u64 = (1 << RUN_BITS) - 1;
const COUNTS: u64 = (1 << PERIOD_SHIFT) - 1;
const PERIOD_SHIFT: u32 = 32;
const PERIOD_MASK: u64 = (1 << 32) - 1;
const PERIOD_HALF: u64 = PERIOD_MASK / 2;
