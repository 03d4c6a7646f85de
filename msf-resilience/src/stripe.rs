//! What is only counted is counted in stripes: one cache line per thread, near enough.
//!
//! Two threads that add to one word make it travel between their caches, which costs ten times the addition. A stripe
//! is chosen by the thread, so its line stays where it is used; who reads adds all stripes up.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use msf_core::metrics::Counter;

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

/// What of a growing sum a metric has already seen.
///
/// The path of a call adds to a [`Tally`] only; a scrape brings the counter up to it with [`show`](Self::show).
#[derive(Debug)]
pub(crate) struct Exported {
    counter: Counter,
    seen: AtomicU64,
}

impl Exported {
    /// A counter that leaves out what the sum is now, for a tally that served others before.
    pub(crate) const fn since(counter: Counter, sum: u64) -> Self {
        Self {
            counter,
            seen: AtomicU64::new(sum),
        }
    }

    /// Adds what came since the last time. Of scrapes at one time, each adds a part of its own.
    pub(crate) fn show(&self, sum: u64) {
        let seen = self.seen.fetch_max(sum, Ordering::Relaxed);
        self.counter.inc_by(sum.saturating_sub(seen));
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

    #[test]
    fn scrapes_at_one_time_export_every_count_once() {
        let (tally, counter) = (Tally::default(), Counter::noop());
        tally.add(5);
        let exported = Exported::since(counter.clone(), tally.sum());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        tally.add(1);
                        exported.show(tally.sum());
                    }
                });
            }
        });
        exported.show(tally.sum());
        assert_eq!(counter.get(), 4 * 1000);
    }
}
