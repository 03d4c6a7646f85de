//! The limits as every check reads them and `set_limits` replaces them.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering, fence},
};

use super::{
    gcra::Gcra,
    limits::{LIMITS_MAX, Limit, Limits},
    quota::Quota,
};

/// A sequence lock over plain words: who reads writes nothing, and never sees half of a change.
#[derive(Debug)]
pub(super) struct Settings {
    /// Odd while a change is under way.
    version: AtomicU64,
    limits: [Words; LIMITS_MAX],
    len: usize,
    max_queue: u32,
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Words([AtomicU64; 5]);

impl Settings {
    pub(super) fn new(limits: &Limits, max_queue: u32) -> Self {
        let settings = Self {
            version: AtomicU64::new(0),
            limits: Default::default(),
            len: limits.quotas().len(),
            max_queue,
            writing: Mutex::new(()),
        };
        settings.store(limits);
        settings
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn max_queue(&self) -> u32 {
        self.max_queue
    }

    /// As many limits as there were.
    pub(super) fn store(&self, limits: &Limits) {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (words, quota) in self.limits.iter().zip(limits.quotas()) {
            words.store(&Limit::new(*quota, self.max_queue));
        }
        self.version.store((version | 1) + 1, Ordering::Release);
    }

    /// Reads the first limit.
    #[inline]
    pub(super) fn first(&self) -> Limit {
        self.read(|limits| limits[0].load())
    }

    /// Reads them all; only the first [`len`](Self::len) mean something.
    pub(super) fn all(&self) -> [Limit; LIMITS_MAX] {
        self.read(|limits| std::array::from_fn(|place| limits[place % self.len].load()))
    }

    #[inline]
    fn read<T>(&self, read: impl Fn(&[Words; LIMITS_MAX]) -> T) -> T {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let seen = read(&self.limits);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return seen;
            }
            std::hint::spin_loop();
        }
    }
}

impl Words {
    fn store(&self, limit: &Limit) {
        let Limit { quota, gcra } = limit;
        let numbers = u64::from(quota.requests()) << 32 | u64::from(quota.burst_size());
        let values = [
            gcra.distance,
            gcra.capacity,
            gcra.queue,
            numbers,
            quota.period_ns(),
        ];
        for (word, value) in self.0.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    #[inline]
    fn load(&self) -> Limit {
        let [distance, capacity, queue, numbers, period_ns] =
            std::array::from_fn(|place| self.0[place].load(Ordering::Relaxed));
        #[expect(clippy::cast_possible_truncation, reason = "two halves")]
        let quota = Quota::raw((numbers >> 32) as u32, numbers as u32, period_ns);
        let gcra = Gcra {
            distance,
            capacity,
            queue,
        };
        Limit { quota, gcra }
    }
}
