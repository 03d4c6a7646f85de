//! What can come out of a pipeline.

use msf_core::{
    classify::Classification,
    deadline::DeadlineExceeded,
    problem::{Code, Problem},
};

use crate::{
    LayerError,
    adaptive::{self, LimitReached},
    answering::Refused,
    budget::BudgetExhausted,
    bulkhead::{self, BulkheadFull},
    circuit_breaker::{self, CircuitOpen},
    deadline,
    load_shed::{self, Overloaded},
    rate_limit::Limited,
    retry,
    timeout::{self, Elapsed},
};

/// The error of a pipeline, flat: which of its layers did not let the call happen, or the error of the
/// service inside.
///
/// ```
/// use msf_core::{classify::Classification, problem::{Code, Problem}};
/// use msf_resilience::{answering::Refused, circuit_breaker::CircuitBreaker, pipeline::Error};
///
/// let breaker = CircuitBreaker::builder("payments").min_calls(1).build()?;
/// breaker.try_acquire()?.complete(&Classification::FAILURE);
///
/// let error: Error<std::io::Error> = Error::CircuitOpen(breaker.try_acquire().unwrap_err());
/// assert!(error.is_refusal());
/// let problem = error.into_problem().expect("no error of the service inside");
/// assert_eq!(problem.code(), Code::BreakerOpen);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The total time was over, or the deadline that the request came with.
    #[error(transparent)]
    DeadlineExceeded(DeadlineExceeded),
    /// The call failed and the budget allowed no retry, where the policy is to
    /// [refuse](crate::retry::Exhausted::Refuse) then.
    #[error(transparent)]
    RetryBudgetExhausted(BudgetExhausted),
    /// The load shed refused.
    #[error(transparent)]
    Overloaded(Overloaded),
    /// The adaptive limit refused.
    #[error(transparent)]
    LimitReached(LimitReached),
    /// The limit refused.
    #[error(transparent)]
    RateLimited(Limited),
    /// The bulkhead refused.
    #[error(transparent)]
    BulkheadFull(BulkheadFull),
    /// The breaker refused.
    #[error(transparent)]
    CircuitOpen(CircuitOpen),
    /// The attempt's own time was over.
    #[error(transparent)]
    TimedOut(Elapsed),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

impl<E> Error<E> {
    /// Whether a layer refused, so that the call was not made.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.inner().is_err_and(|own| own.hint.refused)
    }
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        let retry_after = match self {
            Self::Inner(error) => return Ok(error),
            Self::DeadlineExceeded(_) => return Err(Classification::IGNORE),
            Self::RetryBudgetExhausted(_) => return Err(Classification::IGNORE.refused(true)),
            Self::TimedOut(elapsed) if elapsed.is_deadline() => return Err(Classification::IGNORE),
            Self::TimedOut(_) => return Err(Classification::FAILURE),
            Self::Overloaded(refusal) => refusal.retry_after(),
            Self::LimitReached(refusal) => refusal.retry_after(),
            Self::RateLimited(refusal) => refusal.retry_after(),
            Self::BulkheadFull(refusal) => refusal.retry_after(),
            Self::CircuitOpen(refusal) => refusal.retry_after(),
        };
        Err(Classification::IGNORE
            .retry_after(Some(retry_after))
            .refused(true))
    }
}

impl<E> Refused for Error<E> {
    fn into_problem(self) -> Result<Problem, E> {
        match self {
            Self::DeadlineExceeded(_) => Ok(Problem::new(Code::DeadlineExceeded)),
            Self::RetryBudgetExhausted(exhausted) => Ok(exhausted.into()),
            Self::Overloaded(refusal) => Ok(refusal.into()),
            Self::LimitReached(refusal) => Ok(refusal.into()),
            Self::RateLimited(limited) => Ok(limited.into()),
            Self::BulkheadFull(refusal) => Ok(refusal.into()),
            Self::CircuitOpen(refusal) => Ok(refusal.into()),
            Self::TimedOut(elapsed) => Ok(elapsed.into()),
            Self::Inner(error) => Err(error),
        }
    }
}

/// A layer of the pipeline around other parts of it, whose errors are flat already.
macro_rules! flatten {
    ($($module:ident :: $refusal:ident => $variant:ident),+ $(,)?) => {$(
        impl<E> From<$module::Error<Self>> for Error<E> {
            fn from(error: $module::Error<Self>) -> Self {
                match error {
                    $module::Error::$refusal(refusal) => Self::$variant(refusal),
                    $module::Error::Inner(error) => error,
                }
            }
        }
    )+};
}

flatten! {
    bulkhead::Full => BulkheadFull,
    circuit_breaker::Open => CircuitOpen,
    deadline::Exceeded => DeadlineExceeded,
    load_shed::Overloaded => Overloaded,
    adaptive::Limited => LimitReached,
    retry::BudgetExhausted => RetryBudgetExhausted,
    timeout::Elapsed => TimedOut,
}
