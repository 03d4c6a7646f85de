//! What calls in flight point to: the circuit, its clock, and what is counted for the metrics.

use std::{
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use msf_core::{
    classify::{Classification, Verdict},
    clock::Epoch,
};

use super::{
    cause::Cause,
    circuit::{Circuit, Completion, Success},
    machine::{Change, Outcome},
    settings::Settings,
    shared::Shared,
};
use crate::{
    slot::{Owner, Pool, Recycle},
    stripe::{STRIPES, Tally},
};

/// See [`crate::slot`]. A slot has a new generation with every owner, so a permit of an earlier one is stale.
pub(super) struct Slot {
    pub(super) circuit: Circuit<STRIPES>,
    pub(super) epoch: Epoch,
    pub(super) counts: Counts,
    /// The first generation of the owner.
    born: AtomicU64,
    owner: Mutex<Weak<Shared>>,
}

/// What was counted under all owners of the slot.
#[derive(Default)]
pub(super) struct Counts {
    /// Counted only if somebody exports it.
    pub(super) succeeded: Tally,
    pub(super) is_exported: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) ignored: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) rejected: [AtomicU64; Cause::ALL.len()],
}

static POOL: Pool<Slot> = Pool::new();
/// Longer than any test moves its paused clock.
const EPOCH_AGE: Duration = Duration::from_secs(365 * 86_400);

impl Slot {
    pub(super) fn take(settings: Settings, is_exported: bool) -> Owner<Self> {
        POOL.take(
            || Self {
                circuit: Circuit::new(settings, fastrand::Rng::new()),
                epoch: Epoch::before(EPOCH_AGE),
                counts: Counts::default(),
                born: AtomicU64::new(0),
                owner: Mutex::new(Weak::new()),
            },
            |slot| {
                let born = slot.circuit.begin(settings, fastrand::Rng::new());
                slot.born.store(born, Relaxed);
                slot.counts.is_exported.store(is_exported.into(), Relaxed);
            },
        )
    }

    pub(super) fn born(&self) -> u64 {
        self.born.load(Relaxed)
    }

    pub(super) fn belong_to(&self, owner: Weak<Shared>) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = owner;
    }

    /// Whose it is now.
    pub(super) fn owner(&self) -> Weak<Shared> {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        Weak::clone(&owner)
    }

    /// The time, for what is sorted into a bucket.
    pub(super) fn coarse(&self) -> u64 {
        self.epoch.coarse_nanos()
    }

    /// When a call begins or ends that is timed: as exact as the threshold asks for.
    #[inline(never)]
    pub(super) fn timing(&self) -> u64 {
        if self.circuit.slow_ns() >= COARSE_FROM_NS {
            self.epoch.coarse_nanos()
        } else {
            self.epoch.nanos()
        }
    }

    /// Takes the success of a call that was not timed.
    ///
    /// Inlined is what reads two or three words and no more. The rest is a call, so that the future around this stays
    /// small enough to be inlined itself.
    #[inline]
    pub(super) fn succeed(&self, generation: u64) {
        let is_counted =
            self.counts.is_exported.load(Relaxed) == 0 && self.circuit.succeed_in_row(generation);
        if !is_counted {
            self.succeed_now(generation);
        }
    }

    #[inline(never)]
    fn succeed_now(&self, generation: u64) {
        self.count_success(generation, || self.coarse());
    }

    #[inline]
    fn count_success(&self, generation: u64, now: impl Fn() -> u64) {
        match self.circuit.succeed(generation, &now) {
            Success::Counted if self.counts.is_exported.load(Relaxed) == 0 => {}
            Success::Counted => self.counts.succeeded.add(1),
            rare => self.succeed_slowly(rare, generation, now()),
        }
    }

    #[cold]
    #[inline(never)]
    fn succeed_slowly(&self, success: Success, generation: u64, now: u64) {
        let completion = self.circuit.follow(success, generation, now);
        self.finish(completion, generation, Outcome::Success);
    }

    /// Takes what a call came to that began at `started`, if that is not 0, and ended `now`.
    pub(super) fn complete(
        &self,
        generation: u64,
        started: u64,
        classification: &Classification,
        now: u64,
    ) {
        let is_slow = self.is_slow(started, now);
        let outcome = match classification.verdict {
            Verdict::Success if !is_slow => return self.count_success(generation, || now),
            Verdict::Success => Outcome::Success,
            Verdict::Ignore => Outcome::Ignored,
            Verdict::Failure => Outcome::Failure {
                not_before: classification.hint.retry_after.map(|wait| {
                    now.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
                }),
            },
        };
        self.complete_slowly(generation, outcome, is_slow, now);
    }

    /// Takes a call that nobody waits for any more.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel(&self, generation: u64, started: u64) {
        let now = self.epoch.nanos();
        self.complete_slowly(
            generation,
            Outcome::Cancelled,
            self.is_slow(started, now),
            now,
        );
    }

    /// Whether a call that began at `started`, if that is not 0, was slow by now.
    fn is_slow(&self, started: u64, now: u64) -> bool {
        started != 0 && now.saturating_sub(started) >= self.circuit.slow_ns()
    }

    #[cold]
    #[inline(never)]
    fn complete_slowly(&self, generation: u64, outcome: Outcome, is_slow: bool, now: u64) {
        let completion = self.circuit.complete(generation, outcome, is_slow, now);
        self.finish(completion, generation, outcome);
    }

    #[cold]
    fn finish(&self, completion: Completion, generation: u64, outcome: Outcome) {
        let counts = &self.counts;
        let count = match (completion, outcome) {
            // A call of an earlier owner, of whom nobody asks any more.
            (Completion::Stale, _) if generation < self.born() => return,
            (Completion::Uncounted, _) => return,
            (Completion::Stale, _) => &counts.stale,
            (Completion::Taken(_), Outcome::Success) => {
                counts.succeeded.add(1);
                return self.announce(completion);
            }
            (Completion::Taken(_), Outcome::Failure { .. }) => &counts.failed,
            (Completion::Taken(_), Outcome::Ignored) => &counts.ignored,
            (Completion::Taken(_), Outcome::Cancelled) => &counts.cancelled,
        };
        count.fetch_add(1, Relaxed);
        self.announce(completion);
    }

    fn announce(&self, completion: Completion) {
        if let Completion::Taken(Some(change)) = completion {
            self.tell(&change);
        }
    }

    /// Tells the owner of a change, unless another has come since.
    #[cold]
    pub(super) fn tell(&self, change: &Change) {
        if let Some(owner) = self.owner().upgrade() {
            owner.announce(change);
        }
    }
}

impl Recycle for Slot {
    fn retire(&self) -> bool {
        // What still ends is stale from the next owner on; until then it changes what nobody looks at.
        self.belong_to(Weak::new());
        true
    }
}

/// From this threshold on the coarse clock, up to 10 ms behind, is exact enough.
const COARSE_FROM_NS: u64 = 100_000_000;
