//! The error of the typed layer.

use msf_core::{
    classify::Classification,
    deadline::DeadlineExceeded,
    problem::{Code, Problem},
};

use crate::{LayerError, answering::Refused};

/// The error of the typed layer: the deadline passed, or the service inside failed.
///
/// ```
/// use std::io;
/// use msf_core::{classify::Classification, deadline::DeadlineExceeded};
/// use msf_resilience::{LayerError, deadline::Error};
///
/// let error: Error<io::Error> = Error::Exceeded(DeadlineExceeded);
/// assert_eq!(error.inner().unwrap_err(), Classification::IGNORE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call ended in time or it did not; callers match both"
)]
pub enum Error<E> {
    /// The deadline had passed before the call, or passed before its end.
    #[error(transparent)]
    Exceeded(DeadlineExceeded),
    /// The call failed in time.
    #[error(transparent)]
    Inner(E),
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        match self {
            Self::Inner(error) => Ok(error),
            Self::Exceeded(_) => Err(Classification::IGNORE),
        }
    }
}

impl<E> Refused for Error<E> {
    fn into_problem(self) -> Result<Problem, E> {
        match self {
            Self::Exceeded(_) => Ok(Problem::new(Code::DeadlineExceeded)),
            Self::Inner(error) => Err(error),
        }
    }
}
