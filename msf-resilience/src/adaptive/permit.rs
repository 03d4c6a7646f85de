//! One admitted call, and what it reports to.

use std::{
    fmt,
    sync::{
        Mutex, OnceLock, PoisonError, TryLockError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Response;
use msf_core::{
    classify::{Classification, Verdict},
    clock::{self, Epoch},
};
use tokio::time::Instant;

use super::{limits::Limit, sampler::Sampler};
use crate::{
    bulkhead::GuardedBody,
    permits::Gate,
    slot::{Pool, Recycle},
    stripe::Padded,
};

/// What calls in flight point to.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) gate: Gate,
    sampler: Sampler,
    pub(super) front: Padded<Front>,
    algorithm: Mutex<Option<Box<dyn Limit>>>,
}

/// What every call reads and who rolls a window writes.
#[derive(Debug, Default)]
pub(super) struct Front {
    /// When the window may end, by [`nanos`].
    ends_at: AtomicU64,
    window_ns: AtomicU64,
    min_calls: AtomicU32,
    /// The mean latency of the last window; 0 before there was one.
    pub(super) latency_ns: AtomicU64,
}

pub(super) static POOL: Pool<Slot> = Pool::new();

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            gate: Gate::new(),
            sampler: Sampler::default(),
            front: Padded::default(),
            algorithm: Mutex::new(None),
        }
    }

    pub(super) fn open(&self, algorithm: Box<dyn Limit>, window_ns: u64, min_calls: u32) {
        self.gate.open(algorithm.limit().max(1));
        self.sampler.take();
        self.front.0.latency_ns.store(0, Ordering::Relaxed);
        self.set_window(window_ns, min_calls);
        self.replace(Some(algorithm));
    }

    pub(super) fn set_window(&self, window_ns: u64, min_calls: u32) {
        let Padded(front) = &self.front;
        front.window_ns.store(window_ns, Ordering::Relaxed);
        front.min_calls.store(min_calls, Ordering::Relaxed);
        let end = nanos(clock::now()).saturating_add(window_ns);
        front.ends_at.store(end, Ordering::Relaxed);
    }

    /// Goes on from the limit of now with another algorithm.
    pub(super) fn exchange(&self, mut algorithm: Box<dyn Limit>) {
        let mut current = self
            .algorithm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        algorithm.restart(self.gate.limit());
        self.gate.set_limit(algorithm.limit().max(1));
        *current = Some(algorithm);
    }

    /// Goes on from another limit, or the nearest that the algorithm allows.
    pub(super) fn restart(&self, limit: u32) {
        let mut current = self
            .algorithm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(algorithm) = &mut *current {
            algorithm.restart(limit);
            self.gate.set_limit(algorithm.limit().max(1));
        }
    }

    #[inline]
    fn record(&self, started: Instant, outcome: Outcome) {
        let now = clock::now();
        let Padded(front) = &self.front;
        let elapsed = now.saturating_duration_since(started);
        let latency_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        if outcome == Outcome::Cancelled {
            let usual = front.latency_ns.load(Ordering::Relaxed);
            if usual == 0 || latency_ns <= usual {
                return;
            }
        }
        let is_drop = outcome == Outcome::Dropped;
        let in_flight = || self.gate.in_flight();
        self.sampler.add(latency_ns, is_drop, in_flight);
        let now = nanos(now);
        if now >= front.ends_at.load(Ordering::Relaxed) {
            self.roll(now);
        }
    }

    /// Ends the window, unless another call is at it.
    #[cold]
    fn roll(&self, now: u64) {
        let mut algorithm = match self.algorithm.try_lock() {
            Ok(algorithm) => algorithm,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let Padded(front) = &self.front;
        let Some(algorithm) = &mut *algorithm else {
            return;
        };
        if now < front.ends_at.load(Ordering::Relaxed) {
            return;
        }
        // A window that is too thin goes on; looking again at every call is cheap where there are few.
        if self.sampler.calls() < front.min_calls.load(Ordering::Relaxed).into() {
            return;
        }
        let window_ns = front.window_ns.load(Ordering::Relaxed);
        let end = now.saturating_add(window_ns);
        front.ends_at.store(end, Ordering::Relaxed);
        let Some(window) = self.sampler.take() else {
            return;
        };
        let latency = u64::try_from(window.latency().as_nanos()).unwrap_or(u64::MAX);
        front.latency_ns.store(latency, Ordering::Relaxed);
        let limit = algorithm.update(&window).max(1);
        if limit != self.gate.limit() {
            self.gate.set_limit(limit);
        }
    }

    fn replace(&self, algorithm: Option<Box<dyn Limit>>) {
        let mut current = self
            .algorithm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = algorithm;
    }
}

impl Recycle for Slot {
    fn retire(&self) -> bool {
        // Before the gate: once that is retired, the slot may be somebody else's.
        self.replace(None);
        self.gate.retire()
    }
}

/// Nanoseconds since an epoch of this process. It is older than any clock that a test has paused.
fn nanos(now: Instant) -> u64 {
    static EPOCH: OnceLock<Epoch> = OnceLock::new();
    let epoch = EPOCH.get_or_init(|| Epoch::before(YEAR));
    epoch.nanos_at(now)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The right to make one call, given by [`AdaptiveLimit::try_acquire`](super::AdaptiveLimit::try_acquire).
///
/// Complete it with what the call came to. A permit that is dropped instead is given back and counts only if it was
/// held for longer than calls usually take.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::adaptive::AdaptiveLimit;
///
/// let limit = AdaptiveLimit::builder("search").build()?;
/// let permit = limit.try_acquire()?;
/// assert_eq!(limit.snapshot().in_flight(), 1);
/// permit.complete(&Classification::SUCCESS);
/// assert_eq!(limit.snapshot().in_flight(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped is given back"]
pub struct Permit {
    slot: &'static Slot,
    started: Instant,
    is_pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    Dropped,
    Cancelled,
}

impl Permit {
    /// For a permit that was taken from the slot's gate.
    #[inline]
    pub(super) fn of(slot: &'static Slot) -> Self {
        Self {
            slot,
            started: clock::now(),
            is_pending: true,
        }
    }

    /// Says what the call came to, and gives the permit back.
    pub fn complete(mut self, classification: &Classification) {
        self.finish(classification);
    }

    /// Says what the call came to, and holds the permit until the response's body ends, fails or is dropped.
    pub fn attach<B>(
        mut self,
        response: Response<B>,
        classification: &Classification,
    ) -> Response<GuardedBody<B, Self>> {
        self.finish(classification);
        GuardedBody::attach(response, self)
    }

    #[inline]
    pub(super) fn finish(&mut self, classification: &Classification) {
        self.is_pending = false;
        let hint = &classification.hint;
        let outcome = match classification.verdict {
            _ if hint.refused => return,
            _ if hint.throttled => Outcome::Dropped,
            Verdict::Success => Outcome::Success,
            Verdict::Failure => Outcome::Dropped,
            Verdict::Ignore => return,
        };
        self.slot.record(self.started, outcome);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.is_pending {
            self.slot.record(self.started, Outcome::Cancelled);
        }
        if self.slot.gate.release() {
            POOL.give_back(self.slot);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}
