//! What can go wrong when a limiter is built, and the error of the typed layer.

use std::time::Duration;

use msf_core::{classify::Classification, metrics::MetricsError};

use super::decision::Limited;
use crate::LayerError;

/// A limiter that could not work as it was asked to.
///
/// ```
/// use msf_resilience::rate_limit::{InvalidRateLimiter, Quota, RateLimiter};
///
/// let error = RateLimiter::<u64>::builder(Quota::per_second(0)).build().unwrap_err();
/// assert_eq!(error, InvalidRateLimiter::NoRequests);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRateLimiter {
    /// The name is not 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`.
    #[error(
        "the name of a rate limit must be 1 to 64 characters of a-z, A-Z, 0-9, '-', '_' and '.'"
    )]
    Name,
    /// The quota or its burst is 0, which would refuse everything.
    #[error("a rate limit must allow at least one request")]
    NoRequests,
    /// The period is zero or longer than a day.
    #[error("the period of a rate limit must be more than zero and at most a day, not {0:?}")]
    Period(Duration),
    /// The burst takes too long to come back.
    #[error("the burst of a rate limit must come back within 366 days; one of {0} does not")]
    Burst(u32),
    /// No limit, or more than a limiter can decide at once.
    #[error("a rate limiter has 1 to {max} limits, not {0}", max = super::limits::LIMITS_MAX)]
    Limits(usize),
    /// Two limits of one limiter have this name.
    #[error("two limits of one rate limiter are named `{0}`")]
    SameName(Box<str>),
    /// No key could ever be remembered, or more than a limiter can number.
    #[error("a rate limit must remember 1 to 16777216 keys, not {0}")]
    MaxKeys(usize),
    /// The metrics could not be registered.
    #[error("the metrics of the rate limit could not be registered")]
    Metrics(#[from] MetricsError),
}

/// The error of the typed layer: the limit refused, or the service inside failed.
///
/// See [`RateLimitLayer`](super::RateLimitLayer) for an example.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Limited(Limited),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        match self {
            Self::Inner(error) => Ok(error),
            Self::Limited(limited) => Err(Classification::IGNORE
                .retry_after(Some(limited.retry_after()))
                .refused(true)),
        }
    }
}
