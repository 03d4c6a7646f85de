//! Observed latencies of the last one to two windows: counts in buckets that grow with the value.
//!
//! Pure but for its atomics: it is told the time. Recording adds to a stripe of the recording thread and takes no lock.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use crate::stripe::{self, Padded, STRIPES};

/// Latencies from 1 µs to 134 s, in buckets of a sixteenth of their value or less.
#[derive(Debug)]
pub(super) struct Histogram {
    /// The window that is written to; the one before it is still read, and the third is clear.
    current: AtomicUsize,
    tick: AtomicU64,
    windows: [Window; 3],
}

#[derive(Debug)]
struct Window {
    stripes: [Padded<[AtomicU32; BUCKETS]>; STRIPES],
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            current: AtomicUsize::new(0),
            tick: AtomicU64::new(0),
            windows: std::array::from_fn(|_| Window {
                stripes: std::array::from_fn(|_| {
                    Padded(std::array::from_fn(|_| AtomicU32::new(0)))
                }),
            }),
        }
    }

    /// Empties it, with `tick` as the window that begins.
    pub(super) fn reset(&self, tick: u64) {
        self.tick.store(tick, Ordering::Relaxed);
        self.windows.iter().for_each(Window::clear);
    }

    /// Goes on with `tick` as the number of the window that is written to, whose length has changed.
    pub(super) fn renumber(&self, tick: u64) {
        self.tick.store(tick, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn record(&self, latency: Duration) {
        let window = &self.windows[self.current.load(Ordering::Relaxed)];
        // Wraps after four billion calls in one stripe, bucket and window.
        window.stripes[stripe::own()].0[bucket(latency)].fetch_add(1, Ordering::Relaxed);
    }

    /// Moves on to the window of `tick`. Of several callers at one time, one does it.
    ///
    /// What is recorded in this very moment by a thread that has just read the old window goes there, where it counts
    /// for as long.
    pub(super) fn rotate(&self, tick: u64) {
        let seen = self.tick.load(Ordering::Relaxed);
        if tick <= seen {
            return;
        }
        let exchanged = self
            .tick
            .compare_exchange(seen, tick, Ordering::AcqRel, Ordering::Relaxed);
        if exchanged.is_err() {
            return;
        }
        let old = self.current.load(Ordering::Relaxed);
        let next = (old + 1) % 3;
        self.windows[next].clear();
        self.current.store(next, Ordering::Release);
        self.windows[(old + 2) % 3].clear();
        if tick > seen + 1 {
            self.windows[old].clear();
        }
    }

    /// The least bucket's upper end that at least so many ten-thousandths of the latencies do not exceed, and how
    /// many latencies there are.
    ///
    /// It is above the exact quantile, by a sixteenth and 1 µs at most.
    pub(super) fn quantile(&self, parts: u64) -> (Duration, u64) {
        let mut counts = [0_u64; BUCKETS];
        for window in &self.windows {
            window.add_to(&mut counts);
        }
        let total: u64 = counts.iter().sum();
        let rank = (total.saturating_mul(parts)).div_ceil(PARTS).max(1);
        let mut below = 0;
        for (bucket, count) in counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return (upper_end(bucket), total);
            }
        }
        (Duration::ZERO, total)
    }
}

impl Window {
    fn clear(&self) {
        let counts = self.stripes.iter().flat_map(|stripe| &stripe.0);
        counts.for_each(|count| count.store(0, Ordering::Relaxed));
    }

    fn add_to(&self, sums: &mut [u64; BUCKETS]) {
        for stripe in &self.stripes {
            for (sum, count) in sums.iter_mut().zip(&stripe.0) {
                *sum += u64::from(count.load(Ordering::Relaxed));
            }
        }
    }
}

/// Below 16 µs one bucket per microsecond; above, sixteen buckets per power of two.
fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let micros = micros.min(MICROS_MAX);
    if micros < STEPS {
        return index(micros);
    }
    let power = u64::from(micros.ilog2());
    let step = (micros >> (power - STEP_BITS)) & (STEPS - 1);
    index((power - STEP_BITS + 1) * STEPS + step)
}

fn upper_end(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return Duration::from_micros(bucket + 1);
    }
    let shift = bucket / STEPS - 1;
    Duration::from_micros((STEPS + bucket % STEPS + 1) << shift)
}

#[expect(clippy::cast_possible_truncation, reason = "below 400")]
const fn index(bucket: u64) -> usize {
    bucket as usize
}

const STEP_BITS: u64 = 4;
const STEPS: u64 = 1 << STEP_BITS;
const POWER_MAX: u64 = 26;
const MICROS_MAX: u64 = (1 << (POWER_MAX + 1)) - 1;
const BUCKETS: usize = index((POWER_MAX - STEP_BITS + 2) * STEPS);

/// Quantiles are in ten-thousandths.
pub(super) const PARTS: u64 = 10_000;
