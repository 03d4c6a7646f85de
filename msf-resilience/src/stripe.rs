//! What is only counted is counted in stripes: one cache line per thread, near enough.
//!
//! Two threads that add to one word make it travel between their caches, which costs ten times the addition. A stripe
//! is chosen by the thread, so its line stays where it is used; who reads adds all stripes up.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// How many stripes there are. More threads than this share them.
pub(crate) const STRIPES: usize = 8;

/// A value on cache lines of its own (two of them: processors fetch pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// The stripe of this thread. Threads get them in turn.
#[inline]
pub(crate) fn own() -> usize {
    thread_local! {
        static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    // A thread that is ending, whose locals are gone, may use any stripe.
    OWN.try_with(|own| {
        if own.get() == usize::MAX {
            own.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        own.get()
    })
    .unwrap_or(0)
}

/// A counter that many threads add to and few read.
#[derive(Debug, Default)]
pub(crate) struct Tally([Padded<AtomicU64>; STRIPES]);

impl Tally {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0[own()].0.fetch_add(n, Ordering::Relaxed);
    }

    /// All that was added before this call began, and perhaps some of what is added meanwhile.
    pub(crate) fn sum(&self) -> u64 {
        let stripes = self.0.iter();
        stripes.fold(0, |sum, stripe| {
            sum.wrapping_add(stripe.0.load(Ordering::Relaxed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_addition_of_every_thread_is_in_the_sum() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..1000).for_each(|_| tally.add(2)));
            }
        });
        assert_eq!(tally.sum(), 2 * 2 * 1000 * STRIPES as u64);
    }

    #[test]
    fn a_thread_keeps_its_stripe() {
        assert_eq!(own(), own());
        assert!(own() < STRIPES);
    }
}
