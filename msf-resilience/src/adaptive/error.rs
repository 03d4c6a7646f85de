//! Why a call was not made, and why a limit could not be.

use std::{sync::Arc, time::Duration};

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};

use super::limits::InvalidLimit;
use crate::refusal::{in_whole_seconds, refuses_with, retry_after};

/// As many calls are in flight as the callee can use: the call was not made.
///
/// It turns into a [`Problem`] with the code `overloaded`, status 503 and `Retry-After`. The limit's name goes to the log
/// only.
///
/// ```
/// use msf_core::problem::Problem;
/// use msf_resilience::adaptive::{AdaptiveLimit, Fixed};
///
/// let limit = AdaptiveLimit::builder("search").algorithm(Fixed::new(1)).build()?;
/// let _taken = limit.try_acquire()?;
/// let refused = limit.try_acquire().unwrap_err();
/// assert_eq!(refused.name(), "search");
/// assert_eq!(Problem::from(refused).status(), 503);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the adaptive limit `{name}` is reached: {limit} calls are in flight")]
pub struct LimitReached {
    name: Arc<str>,
    limit: u32,
    retry_after: Duration,
}

impl LimitReached {
    pub(super) fn new(name: Arc<str>, limit: u32) -> Self {
        Self {
            name,
            limit,
            retry_after: retry_after(RETRY_AFTER),
        }
    }

    /// The limit that refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many calls it let in at once then.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// When it is worth trying again. A guess: 1 to 2 s, at random, so that refused callers do not come back together.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl From<LimitReached> for Problem {
    fn from(error: LimitReached) -> Self {
        Self::new(Code::Overloaded)
            .with_retry_after(in_whole_seconds(error.retry_after))
            .with_log_detail(error.to_string())
    }
}

/// The error of the typed layer: the limit refused, or the service inside failed.
///
/// See [`AdaptiveLayer`](super::AdaptiveLayer) for an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Limited(LimitReached),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

refuses_with!(Limited);

/// A limit that could not work as it was asked to.
///
/// ```
/// use msf_resilience::adaptive::{AdaptiveLimit, InvalidAdaptiveLimit, Vegas};
///
/// let upside_down = Vegas::new().min(10).max(5);
/// let error = AdaptiveLimit::builder("search").algorithm(upside_down).build().unwrap_err();
/// assert!(matches!(error, InvalidAdaptiveLimit::Algorithm(_)));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAdaptiveLimit {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of an adaptive limit must be 1 to 128 bytes without control characters")]
    Name,
    /// The algorithm's own knobs.
    #[error(transparent)]
    Algorithm(#[from] InvalidLimit),
    /// A window in which nothing happens, or longer than a load lasts.
    #[error("`window` must be from 10 ms to 1 min, not {0:?}")]
    Window(Duration),
    /// A verdict on no calls at all.
    #[error("`min_calls` must be from 1 to 100000, not {0}")]
    MinCalls(u32),
    /// The metrics could not be registered.
    #[error("the metrics of the adaptive limit could not be registered")]
    Metrics(#[from] MetricsError),
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
