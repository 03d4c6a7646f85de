//! One admitted call.

use std::{fmt, sync::Arc};

use msf_core::{
    classify::{Classification, Verdict},
    clock,
};
use tokio::time::Instant;

use super::{breaker::Shared, machine::Outcome};

/// The right to make one call, given by [`CircuitBreaker::try_acquire`](super::CircuitBreaker::try_acquire).
///
/// Complete it with what the call came to. A permit that is dropped instead, by a future that nobody waits
/// for any more or by a panic, counts as *cancelled*: a probe's permit becomes free, and the circuit opens
/// only if every call of its window was cancelled. A permit from before the last change of state has no
/// effect any more, whatever it is completed with.
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
    shared: Arc<Shared>,
    generation: u64,
    is_pending: bool,
}

impl Permit {
    pub(super) const fn new(shared: Arc<Shared>, generation: u64) -> Self {
        Self {
            shared,
            generation,
            is_pending: true,
        }
    }

    /// Says what the call came to.
    ///
    /// [`Verdict::Ignore`] leaves no trace in the counts and gives a probe's permit back. The
    /// `Retry-After` of a failure becomes the least open wait, within the breaker's longest one.
    pub fn complete(self, classification: &Classification) {
        self.complete_at(classification, clock::now());
    }

    /// As [`complete`](Self::complete), for a caller that has just read the clock: reading it again is a
    /// third of what a call through a closed breaker costs.
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
        self.is_pending = false;
        let now = self.shared.nanos(now);
        let outcome = match classification.verdict {
            Verdict::Success => Outcome::Success,
            Verdict::Ignore => Outcome::Ignored,
            Verdict::Failure => Outcome::Failure {
                not_before: classification.hint.retry_after.map(|wait| {
                    now.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
                }),
            },
        };
        self.shared.complete(self.generation, outcome, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_pending {
            let now = self.shared.now();
            self.shared
                .complete(self.generation, Outcome::Cancelled, now);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("breaker", &self.shared.name())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
