//! Whether to try again, as a pure function of what is known.

use std::time::Duration;

use msf_core::{
    backoff::{Backoff, Delays},
    classify::{Classification, Verdict},
};

use super::builder::Exhausted;
use crate::budget::Class;

/// Why a call that failed is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GiveUp {
    /// The outcome is no failure, or a layer between refused the call: there is nothing to retry.
    Final,
    /// The request may not be made twice, or its body is too long to keep.
    NotRepeatable,
    /// All attempts were made.
    Attempts,
    /// The callee asked for a longer wait than the policy's longest.
    RetryAfter,
    /// The deadline of the request would pass during the wait.
    Deadline,
    /// The budget allows no retry now.
    Budget,
}

impl GiveUp {
    /// The label value of the metrics: `final`, `not_repeatable`, `attempts`, `retry_after`, `deadline` or `budget`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::NotRepeatable => "not_repeatable",
            Self::Attempts => "attempts",
            Self::RetryAfter => "retry_after",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
        }
    }
}

/// The numbers that only failures need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) transient: Backoff,
    pub(super) throttled: Backoff,
    pub(super) retry_after_max: Duration,
    pub(super) exhausted: Exhausted,
}

/// The waits of one call.
#[derive(Debug)]
pub(super) struct Pace {
    transient: Delays,
    throttled: Delays,
    retry_after_max: Duration,
}

/// Whether an outcome is worth another attempt: a failure, or a callee that is called too much, unless a layer
/// between refused the call.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::retry::is_retryable;
///
/// assert!(is_retryable(&Classification::FAILURE));
/// assert!(!is_retryable(&Classification::FAILURE.refused(true)));
/// assert!(!is_retryable(&Classification::SUCCESS));
/// ```
#[must_use]
pub fn is_retryable(outcome: &Classification) -> bool {
    retryable(outcome).is_some()
}

/// The class of an outcome that is worth another attempt.
pub(super) fn retryable(outcome: &Classification) -> Option<Class> {
    let is_failure = outcome.verdict == Verdict::Failure || outcome.hint.throttled;
    (is_failure && !outcome.hint.refused).then(|| Class::of(outcome))
}

impl Pace {
    pub(super) fn new(waits: &Waits) -> Self {
        Self {
            transient: waits.transient.delays(),
            throttled: waits.throttled.delays(),
            retry_after_max: waits.retry_after_max,
        }
    }

    /// How long to wait after an outcome of this class, if that is possible in the time that is left.
    pub(super) fn wait(
        &mut self,
        class: Class,
        retry_after: Option<Duration>,
        left: Option<Duration>,
    ) -> Result<Duration, GiveUp> {
        let floor = retry_after.unwrap_or_default();
        if floor > self.retry_after_max {
            return Err(GiveUp::RetryAfter);
        }
        let delay = match class {
            Class::Transient => self.transient.next_delay(),
            Class::Throttled => self.throttled.next_delay(),
        };
        let wait = floor.saturating_add(delay);
        if left.is_some_and(|left| wait.saturating_add(LEFT_MIN) >= left) {
            return Err(GiveUp::Deadline);
        }
        Ok(wait)
    }
}

/// tokio's timers are up to a millisecond late, and an attempt with less than that to go is not worth its charge.
const LEFT_MIN: Duration = Duration::from_millis(1);
