//! Why a policy could not be, and the error of the typed layer.

use std::time::Duration;

use msf_core::{
    backoff::InvalidBackoff, classify::Classification, metrics::MetricsError, problem::Problem,
};

use crate::{
    LayerError,
    answering::Refused,
    budget::{BudgetExhausted, InvalidBudget},
};

/// A policy that could not work as it was asked to.
///
/// ```
/// use msf_resilience::retry::{InvalidRetryPolicy, RetryPolicy};
///
/// let error = RetryPolicy::builder("payment").max_attempts(0).build().unwrap_err();
/// assert_eq!(error, InvalidRetryPolicy::MaxAttempts(0));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRetryPolicy {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a retry policy must be 1 to 128 bytes without control characters")]
    Name,
    /// No attempt at all, or so many that it is an attack.
    #[error("a call must have 1 to 100 attempts, not {0}")]
    MaxAttempts(u32),
    /// The longest `Retry-After` is longer than a day.
    #[error("the longest Retry-After must be at most a day, not {0:?}")]
    RetryAfterMax(Duration),
    /// The limit of bodies would fill the memory.
    #[error("at most 64 MiB of a body can be kept, not {0} bytes")]
    BodyLimit(usize),
    /// The method is none of RFC 9110 or `PATCH`; use `retry_if` for others.
    #[error("`{0}` is no method of RFC 9110; use `retry_if`")]
    Method(Box<str>),
    /// A backoff cannot work.
    #[error("the {class} backoff: {source}")]
    Backoff {
        /// `transient` or `throttled`.
        class: &'static str,
        /// Why.
        source: InvalidBackoff,
    },
    /// The policy's own budget cannot be.
    #[error(transparent)]
    Budget(#[from] InvalidBudget),
    /// The metrics could not be registered.
    #[error("the metrics of the retry policy could not be registered")]
    Metrics(#[from] MetricsError),
}

/// The error of the typed layer: the last attempt failed, or the budget allowed no other.
///
/// The second is given only by policies that [refuse](super::Exhausted::Refuse) then; the others give the last outcome.
///
/// ```
/// use std::io;
/// use msf_resilience::{LayerError, budget::Budget, retry::Error};
///
/// let exhausted = Budget::builder("payment").build()?.exhausted();
/// let error: Error<io::Error> = Error::BudgetExhausted(exhausted);
/// assert!(error.inner().unwrap_err().hint.refused);
/// # Ok::<(), msf_resilience::budget::InvalidBudget>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an attempt was the last or the budget was; callers match both"
)]
pub enum Error<E> {
    /// The call failed, and the budget allowed no retry.
    #[error(transparent)]
    BudgetExhausted(BudgetExhausted),
    /// The last attempt failed.
    #[error(transparent)]
    Inner(E),
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        match self {
            Self::Inner(error) => Ok(error),
            Self::BudgetExhausted(_) => Err(Classification::IGNORE.refused(true)),
        }
    }
}

impl<E> Refused for Error<E> {
    fn into_problem(self) -> Result<Problem, E> {
        match self {
            Self::BudgetExhausted(exhausted) => Ok(exhausted.into()),
            Self::Inner(error) => Err(error),
        }
    }
}
