//! Why a call was not made, and why a bulkhead could not be.

use std::{sync::Arc, time::Duration};

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};

use crate::refusal::{in_whole_seconds, refuses_with, retry_after};

/// No permit was free: the call was not made.
///
/// It turns into a [`Problem`] with the code `bulkhead_full`, status 503 and `Retry-After`. The bulkhead's name goes to
/// the log only.
///
/// ```
/// use msf_core::problem::Problem;
/// use msf_resilience::bulkhead::{Bulkhead, Cause};
///
/// let bulkhead = Bulkhead::builder("reports").max_concurrent(1).build()?;
/// let _taken = bulkhead.try_acquire()?;
/// let refused = bulkhead.try_acquire().unwrap_err();
/// assert_eq!((refused.name(), refused.cause()), ("reports", Cause::Full));
/// assert_eq!(Problem::from(refused).status(), 503);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bulkhead `{name}` is full: {}", cause.as_str())]
pub struct BulkheadFull {
    name: Arc<str>,
    cause: Cause,
    retry_after: Duration,
}

/// Why a bulkhead refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// All permits are taken, and the call was not to wait.
    Full,
    /// All permits are taken, and the line is full as well.
    QueueFull,
    /// The call has waited for as long as it may.
    WaitedTooLong,
}

impl Cause {
    /// `full`, `queue_full` or `waited_too_long`: the label value of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::QueueFull => "queue_full",
            Self::WaitedTooLong => "waited_too_long",
        }
    }
}

impl BulkheadFull {
    pub(super) fn new(name: Arc<str>, cause: Cause) -> Self {
        Self {
            name,
            cause,
            retry_after: retry_after(RETRY_AFTER),
        }
    }

    /// The bulkhead that refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it refused.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// When it is worth trying again. A guess: 1 to 2 s, at random, so that refused callers do not come back together.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl From<BulkheadFull> for Problem {
    fn from(error: BulkheadFull) -> Self {
        Self::new(Code::BulkheadFull)
            .with_retry_after(in_whole_seconds(error.retry_after))
            .with_log_detail(error.to_string())
    }
}

/// The error of the typed layer: the bulkhead refused, or the service inside failed.
///
/// See [`BulkheadLayer`](super::BulkheadLayer) for an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Full(BulkheadFull),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

refuses_with!(Full);

/// A bulkhead that could not work as it was asked to.
///
/// ```
/// use msf_resilience::bulkhead::{Bulkhead, InvalidBulkhead};
///
/// let error = Bulkhead::builder("reports").max_concurrent(0).build().unwrap_err();
/// assert_eq!(error, InvalidBulkhead::MaxConcurrent(0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBulkhead {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a bulkhead must be 1 to 128 bytes without control characters")]
    Name,
    /// Nothing could ever pass, or so much that it is no limit.
    #[error("`max_concurrent` must be from 1 to 1000000, not {0}")]
    MaxConcurrent(u32),
    /// A wait that is over when it begins, or lasts above an hour.
    #[error("`max_wait` must be more than zero and at most an hour, not {0:?}")]
    MaxWait(Duration),
    /// A line that nobody could stand in, or that has no end.
    #[error("`max_queue` must be from 1 to 1000000, not {0}")]
    MaxQueue(u32),
    /// The metrics could not be registered.
    #[error("the metrics of the bulkhead could not be registered")]
    Metrics(#[from] MetricsError),
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
