//! One admitted call.

use std::fmt;

use msf_core::classify::{Classification, Verdict};
use tokio::time::Instant;

use super::slot::Slot;

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

    /// That of a call which no circuit watches.
    #[inline]
    pub(super) const fn unwatched(slot: &'static Slot) -> Self {
        Self {
            slot,
            generation: DONE,
            started: 0,
        }
    }

    /// Says what the call came to.
    ///
    /// [`Verdict::Ignore`] leaves no trace in the counts and gives a probe's permit back. The
    /// `Retry-After` of a failure becomes the least open wait, within the breaker's longest one.
    #[inline]
    pub fn complete(mut self, classification: &Classification) {
        self.end_with(classification);
    }

    /// As [`complete`](Self::complete), where the permit is. What is called after it has no effect.
    #[inline]
    pub(super) fn end_with(&mut self, classification: &Classification) {
        // By value from here on, so that neither permit nor classification need be in memory when this is inlined.
        let (slot, generation, started) = (self.slot, self.end(), self.started);
        if generation == DONE {
            return;
        }
        if classification.verdict == Verdict::Success && started == 0 {
            slot.succeed(generation);
        } else {
            let classification = *classification;
            end_slowly(slot, generation, started, &classification);
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
        let (slot, generation) = (self.slot, self.end());
        let now = slot.epoch.nanos_at(now);
        slot.complete(generation, self.started, classification, now);
    }

    #[inline]
    const fn end(&mut self) -> u64 {
        std::mem::replace(&mut self.generation, DONE)
    }
}

/// Ends a call that was timed, or did not succeed.
#[inline(never)]
fn end_slowly(slot: &Slot, generation: u64, started: u64, classification: &Classification) {
    let now = if classification.verdict == Verdict::Success {
        // As exact as the begin.
        slot.timing()
    } else {
        slot.epoch.nanos()
    };
    slot.complete(generation, started, classification, now);
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.generation != DONE {
            self.slot.cancel(self.generation, self.started);
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
