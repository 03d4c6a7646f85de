//! The time was over.

use std::{fmt, time::Duration};

use msf_core::{
    classify::Classification,
    problem::{Code, Problem},
};

use crate::{LayerError, answering::Refused};

/// The call did not end in time and was dropped.
///
/// It turns into a [`Problem`] with status 504: code `timeout`, or `deadline_exceeded` if it was the request's deadline
/// that passed.
///
/// ```
/// use std::time::Duration;
/// use msf_core::problem::{Code, Problem};
/// use msf_resilience::timeout::Elapsed;
///
/// let elapsed = Elapsed::of_timeout(Duration::from_secs(1));
/// assert_eq!(elapsed.to_string(), "no answer within 1s");
/// assert_eq!(Problem::from(elapsed).code(), Code::Timeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    after: Option<Duration>,
}

impl Elapsed {
    /// The attempt's own time was over.
    #[must_use]
    pub const fn of_timeout(after: Duration) -> Self {
        Self { after: Some(after) }
    }

    /// The deadline of the request passed.
    #[must_use]
    pub const fn of_deadline() -> Self {
        Self { after: None }
    }

    /// The timeout; none if it was the deadline.
    #[must_use]
    pub const fn after(&self) -> Option<Duration> {
        self.after
    }

    /// Whether the deadline of the request passed, rather than the attempt's own time.
    #[must_use]
    pub const fn is_deadline(&self) -> bool {
        self.after.is_none()
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(after) => write!(f, "no answer within {after:?}"),
            None => f.write_str("no answer before the deadline of the request"),
        }
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for Problem {
    fn from(elapsed: Elapsed) -> Self {
        let code = if elapsed.is_deadline() {
            Code::DeadlineExceeded
        } else {
            Code::Timeout
        };
        Self::new(code).with_log_detail(elapsed.to_string())
    }
}

/// The error of the typed layer: the time was over, or the service inside failed.
///
/// ```
/// use std::{io, time::Duration};
/// use msf_core::classify::Classification;
/// use msf_resilience::{LayerError, timeout::{Elapsed, Error}};
///
/// let error: Error<io::Error> = Error::Elapsed(Elapsed::of_timeout(Duration::from_secs(1)));
/// assert_eq!(error.inner().unwrap_err(), Classification::FAILURE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call ended in time or it did not; callers match both"
)]
pub enum Error<E> {
    /// The call did not end in time.
    #[error(transparent)]
    Elapsed(Elapsed),
    /// The call failed in time.
    #[error(transparent)]
    Inner(E),
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        match self {
            Self::Inner(error) => Ok(error),
            Self::Elapsed(elapsed) if elapsed.is_deadline() => Err(Classification::IGNORE),
            Self::Elapsed(_) => Err(Classification::FAILURE),
        }
    }
}

impl<E> Refused for Error<E> {
    fn into_problem(self) -> Result<Problem, E> {
        match self {
            Self::Elapsed(elapsed) => Ok(elapsed.into()),
            Self::Inner(error) => Err(error),
        }
    }
}
