//! One admitted call.

use std::fmt;

use msf_core::classify::{Classification, Verdict};
use tokio::time::Instant;

use super::{machine::Outcome, slot::Slot};

/// The right to make one call, given by [`CircuitBreaker::try_acquire`](super::CircuitBreaker::try_acquire).
///
/// Complete it with what the call came to. A permit that is dropped instead, by a future that nobody waits
/// for any more or by a panic, counts as *cancelled*: a probe's permit becomes free, and the
/// [`CancelPolicy`](super::CancelPolicy) says whether it is evidence. A permit from before the last change of state has no
/// effect any more, whatever it is completed with. It may outlive its breaker.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::circuit_breaker::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("payment").build()?;
/// let permit = breaker.try_acquire()?;
/// permit.complete(&Classification::SUCCESS);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped counts as a cancelled call"]
pub struct Permit {
    slot: &'static Slot,
    /// [`DONE`] once the permit is completed.
    generation: u64,
    /// When the call began, if calls are timed; otherwise 0.
    started: u64,
}

impl Permit {
    #[inline]
    pub(super) fn new(slot: &'static Slot, generation: u64) -> Self {
        let started = if slot.circuit.is_timing() {
            slot.timing()
        } else {
            0
        };
        Self {
            slot,
            generation,
            started,
        }
    }

    /// Says what the call came to.
    ///
    /// [`Verdict::Ignore`] leaves no trace in the counts and gives a probe's permit back. The
    /// `Retry-After` of a failure becomes the least open wait, within the breaker's longest one.
    #[inline]
    pub fn complete(mut self, classification: &Classification) {
        let slot = self.slot;
        if classification.verdict == Verdict::Success && self.started == 0 {
            let generation = self.end();
            slot.succeed(generation, || slot.coarse());
        } else {
            self.complete_slowly(classification, slot.epoch.nanos());
        }
    }

    /// As [`complete`](Self::complete), for a caller that has just read the clock.
    ///
    /// ```
    /// use msf_core::{classify::Classification, clock};
    /// use msf_resilience::circuit_breaker::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payment").build()?;
    /// let permit = breaker.try_acquire()?;
    /// let answered = clock::now(); // for the metrics, too
    /// permit.complete_at(&Classification::SUCCESS, answered);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn complete_at(mut self, classification: &Classification, now: Instant) {
        let slot = self.slot;
        let now = slot.epoch.nanos_at(now);
        if classification.verdict == Verdict::Success && self.started == 0 {
            let generation = self.end();
            slot.succeed(generation, || now);
        } else {
            self.complete_slowly(classification, now);
        }
    }

    fn complete_slowly(&mut self, classification: &Classification, now: u64) {
        let outcome = match classification.verdict {
            Verdict::Success => Outcome::Success,
            Verdict::Ignore => Outcome::Ignored,
            Verdict::Failure => Outcome::Failure {
                not_before: classification.hint.retry_after.map(|wait| {
                    now.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
                }),
            },
        };
        let is_slow =
            self.started != 0 && now.saturating_sub(self.started) >= self.slot.circuit.slow_ns();
        let generation = self.end();
        if outcome == Outcome::Success && !is_slow {
            self.slot.succeed(generation, || now);
        } else {
            self.slot.complete(generation, outcome, is_slow, now);
        }
    }

    const fn end(&mut self) -> u64 {
        std::mem::replace(&mut self.generation, DONE)
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.generation != DONE {
            let generation = self.end();
            let now = self.slot.epoch.nanos();
            self.slot
                .complete(generation, Outcome::Cancelled, false, now);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A generation that no circuit reaches.
const DONE: u64 = u64::MAX;
