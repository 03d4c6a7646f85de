//! Why a request was shed, and why a load shed could not be made.

use std::{sync::Arc, time::Duration};

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};

use super::priority::Priority;
use crate::refusal::{in_whole_seconds, refuses_with};

/// There is too much to do, and this request matters too little: it was not served.
///
/// It turns into a [`Problem`] with the code `overloaded`, status 503 and `Retry-After`. Name and priority go to the log
/// only.
///
/// ```
/// use msf_core::problem::Problem;
/// use msf_resilience::load_shed::{LoadShed, Priority};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shed = LoadShed::builder("api").signal(|| f64::INFINITY).build()?;
/// let refused = loop {
///     tokio::time::advance(std::time::Duration::from_millis(250)).await;
///     if let Err(refused) = shed.check(Priority::SHEDDABLE) {
///         break refused;
///     }
/// };
/// assert_eq!(refused.priority(), Priority::SHEDDABLE);
/// assert_eq!(Problem::from(refused).status(), 503);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is overloaded and sheds priority {}", priority.as_level())]
pub struct Overloaded {
    name: Arc<str>,
    priority: Priority,
    retry_after: Duration,
}

impl Overloaded {
    pub(super) const fn new(name: Arc<str>, priority: Priority, retry_after: Duration) -> Self {
        Self {
            name,
            priority,
            retry_after,
        }
    }

    /// The load shed that refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The priority of the request.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// When it is worth trying again: once to twice the set time, at random, so that refused callers do not come back
    /// together.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl From<Overloaded> for Problem {
    fn from(error: Overloaded) -> Self {
        Self::new(Code::Overloaded)
            .with_retry_after(in_whole_seconds(error.retry_after))
            .with_log_detail(error.to_string())
    }
}

/// The error of the typed layer: the request was shed, or the service inside failed.
///
/// See [`LoadShedLayer`](super::LoadShedLayer) for an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Overloaded(Overloaded),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

refuses_with!(Overloaded);

/// A load shed that could not work as it was asked to.
///
/// ```
/// use msf_resilience::load_shed::{InvalidLoadShed, LoadShed};
///
/// let error = LoadShed::builder("api").build().unwrap_err();
/// assert_eq!(error, InvalidLoadShed::NoSignal);
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLoadShed {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a load shed must be 1 to 128 bytes without control characters")]
    Name,
    /// Nothing would ever say that there is too much.
    #[error("a load shed needs a `signal` or a `queue_wait`")]
    NoSignal,
    /// A load at which even an idle service sheds, or that none reaches.
    #[error("`threshold` must be from 0.1 to 10, not {0}")]
    Threshold(f64),
    /// A wait that every request has, or that nobody would call well.
    #[error("`queue_wait` must be from 100 us to 1 min, not {0:?}")]
    QueueWait(Duration),
    /// A window in which nothing happens, or longer than a load lasts.
    #[error("`window` must be from 10 ms to 1 min, not {0:?}")]
    Window(Duration),
    /// A time after which clients need not wait, or do not come back.
    #[error("`retry_after` must be from 1 ms to 1 h, not {0:?}")]
    RetryAfter(Duration),
    /// The metrics could not be registered.
    #[error("the metrics of the load shed could not be registered")]
    Metrics(#[from] MetricsError),
}
