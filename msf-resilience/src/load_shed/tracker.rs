//! What arrives and how long it waited, in stripes.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use super::{controller::LEVELS, priority::Priority};
use crate::stripe::{Padded, STRIPES, own};

/// What arrived in the current window, added up by each thread for itself: 13 kB.
#[derive(Debug)]
pub(super) struct Tracker([Padded<Stripe>; STRIPES]);

#[derive(Debug)]
struct Stripe {
    /// The last place is for all that is critical.
    arrivals: [AtomicU32; LEVELS + 1],
    least_wait_ns: AtomicU64,
}

impl Tracker {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| {
            Padded(Stripe {
                arrivals: std::array::from_fn(|_| AtomicU32::new(0)),
                least_wait_ns: AtomicU64::new(u64::MAX),
            })
        }))
    }

    #[inline]
    pub(super) fn arrived(&self, priority: Priority) {
        let stripe = &self.0[own()].0;
        stripe.arrivals[priority.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waited(&self, wait: Duration) {
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let least = &self.0[own()].0.least_wait_ns;
        // Reading first: most waits are not the least.
        if wait < least.load(Ordering::Relaxed) {
            least.fetch_min(wait, Ordering::Relaxed);
        }
    }

    /// Takes the arrivals out, level by level; the last is what was critical.
    pub(super) fn take_arrivals(&self) -> impl Iterator<Item = u32> + '_ {
        (0..=LEVELS).map(|level| {
            let words = self.0.iter().map(|stripe| &stripe.0.arrivals[level]);
            words.fold(0_u32, |sum, word| {
                let new = match word.load(Ordering::Relaxed) {
                    0 => 0,
                    _ => word.swap(0, Ordering::Relaxed),
                };
                sum.saturating_add(new)
            })
        })
    }

    /// Takes the least wait out, if there was one.
    pub(super) fn take_least_wait(&self) -> Option<Duration> {
        let stripes = self.0.iter();
        let least = stripes
            .map(|stripe| stripe.0.least_wait_ns.swap(u64::MAX, Ordering::Relaxed))
            .min()?;
        (least < u64::MAX).then(|| Duration::from_nanos(least))
    }

    /// All arrivals that were not taken out yet.
    pub(super) fn pending(&self) -> u64 {
        let words = self.0.iter().flat_map(|stripe| &stripe.0.arrivals);
        words
            .map(|word| u64::from(word.load(Ordering::Relaxed)))
            .sum()
    }
}
