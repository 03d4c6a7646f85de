//! Why a call was not made, and why a breaker could not be.

use std::{sync::Arc, time::Duration};

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};

use super::cause::Cause;
use crate::refusal::refuses_with;

/// The breaker refused: the call was not made. The [`cause`](Self::cause) says why.
///
/// It turns into a [`Problem`] with the code `breaker_open`, status 503 and `Retry-After`. The breaker's
/// name goes to the log only.
///
/// ```
/// use msf_core::{classify::Classification, problem::Problem};
/// use msf_resilience::circuit_breaker::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("payment").min_calls(1).build()?;
/// breaker.try_acquire()?.complete(&Classification::FAILURE);
///
/// let refused = breaker.try_acquire().unwrap_err();
/// assert_eq!(refused.name(), "payment");
/// assert!(refused.retry_after().as_secs() < 5);
/// assert_eq!(Problem::from(refused).status(), 503);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker `{name}` refused the call ({}) for another {retry_after:?}", cause.as_str())]
pub struct CircuitOpen {
    name: Arc<str>,
    retry_after: Duration,
    cause: Cause,
}

impl CircuitOpen {
    pub(super) const fn new(name: Arc<str>, retry_after: Duration, cause: Cause) -> Self {
        Self {
            name,
            retry_after,
            cause,
        }
    }

    /// Why.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The breaker that refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it is worth trying again. With probes under way, under an operator's order and in a ramp it is a guess: at
    /// most the first open wait, or a second.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl From<CircuitOpen> for Problem {
    fn from(error: CircuitOpen) -> Self {
        Self::new(Code::BreakerOpen)
            .with_retry_after(error.retry_after)
            .with_log_detail(error.to_string())
    }
}

/// The error of the typed layer: the breaker refused, or the service inside failed.
///
/// See [`CircuitBreakerLayer`](super::CircuitBreakerLayer) for an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Open(CircuitOpen),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

/// A breaker that could not work as it was asked to.
///
/// ```
/// use msf_resilience::circuit_breaker::{CircuitBreaker, InvalidCircuitBreaker};
///
/// let error = CircuitBreaker::builder("payment").failure_rate(50.0).build().unwrap_err();
/// assert_eq!(error, InvalidCircuitBreaker::FailureRate(50.0));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCircuitBreaker {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a circuit breaker must be 1 to 128 bytes without control characters")]
    Name,
    /// The failure rate is not a share of the calls.
    #[error("the failure rate must be from 0.0001 to 1, not {0}")]
    FailureRate(f64),
    /// The window is too short to have buckets, or longer than its counts last.
    #[error("the window must be from 100 ms to 10 min, not {0:?}")]
    Window(Duration),
    /// The slow-call rule needs a share of the calls and a threshold that can be measured.
    #[error(
        "slow calls need a share from 0.0001 to 1 and a threshold from 1 ms to a day, not {share} and {threshold:?}"
    )]
    Slow {
        /// The share of slow calls.
        share: f64,
        /// From which duration on a call is slow.
        threshold: Duration,
    },
    /// No failure at all, or so many in a row that they are no emergency.
    #[error("1 to 10000 failures in a row can open a circuit, not {0}")]
    Consecutive(u32),
    /// A window of no calls, or of more than it has room for.
    #[error("the window must hold 1 to 1000 calls, not {0}")]
    WindowCalls(u32),
    /// The window never holds as many calls as are needed to judge it.
    #[error("the minimum of calls ({min_calls}) is above the window's {window} calls")]
    MinCallsAboveWindow {
        /// The minimum of calls.
        min_calls: u32,
        /// The calls that the window holds.
        window: u32,
    },
    /// The share of cancelled calls is no share of the calls.
    #[error("the share of cancelled calls must be from 0.0001 to 1, not {0}")]
    CancelShare(f64),
    /// More than 8 stages, a share that is none, or a length of nothing or of more than a day.
    #[error(
        "a ramp lasts at most a day, or has 1 to 8 stages of more than zero and at most a day, with shares from 0.0001 to 1"
    )]
    Ramp,
    /// A verdict on no calls at all.
    #[error("the minimum of calls must be at least 1")]
    MinCalls,
    /// The open wait is zero, or above its maximum, which is at most a day.
    #[error(
        "the open wait ({base:?}) must be more than zero and at most {max:?}, itself at most a day"
    )]
    OpenWait {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        max: Duration,
    },
    /// The jitter would leave nothing of the wait.
    #[error("the jitter must be from 0 to 0.9, not {0}")]
    Jitter(f64),
    /// Nothing could ever probe, or so much that it is no probe.
    #[error("a half-open circuit needs 1 to 1000 permits, not {0}")]
    HalfOpenPermits(u32),
    /// A half-open period that ends when it begins, or lasts above a day.
    #[error("the half-open period must last more than zero and at most a day, not {0:?}")]
    HalfOpenMaxWait(Duration),
    /// No key at all, or more than there is memory for.
    #[error("a keyed circuit breaker has room for 1 to 65536 keys, not {0}")]
    MaxKeys(usize),
    /// Keys would be forgotten between two calls, or never.
    #[error("idle keys are forgotten after 1 s to a day, not {0:?}")]
    IdleAfter(Duration),
    /// The metrics could not be registered.
    #[error("the metrics of the circuit breaker could not be registered")]
    Metrics(#[from] MetricsError),
}

refuses_with!(Open);
