//! How much is allowed, and the arithmetic that decides.

use std::time::Duration;

use super::error::InvalidRateLimiter;

/// So many requests per period, and how many of them may come at once.
///
/// The burst is the rate's own number unless [`burst`](Self::burst) says otherwise. What is impossible (no
/// requests, no period, no burst) is an error of [`RateLimiterBuilder::build`](super::RateLimiterBuilder::build).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::rate_limit::Quota;
///
/// let steady = Quota::per_second(100).burst(20);
/// assert_eq!(steady.requests(), 100);
/// assert_eq!(steady.period(), Duration::from_secs(1));
/// assert_eq!(steady.burst_size(), 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    requests: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// So many requests per second.
    #[must_use]
    pub const fn per_second(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(1))
    }

    /// So many requests per minute.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(60))
    }

    /// So many requests per hour.
    #[must_use]
    pub const fn per_hour(requests: u32) -> Self {
        Self::per(requests, Duration::from_secs(3_600))
    }

    /// So many requests per period, which is at most a day.
    #[must_use]
    pub const fn per(requests: u32, period: Duration) -> Self {
        Self {
            requests,
            period,
            burst: requests,
        }
    }

    /// How many requests may come at once after a pause.
    #[must_use]
    pub const fn burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self
    }

    /// Requests per [`period`](Self::period).
    #[must_use]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many requests may come at once.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// Whether a limiter can work with it.
    ///
    /// ```
    /// use msf_resilience::rate_limit::{InvalidRateLimiter, Quota};
    ///
    /// assert!(Quota::per_second(1).check().is_ok());
    /// assert_eq!(Quota::per_second(0).check(), Err(InvalidRateLimiter::NoRequests));
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] names what is out of its range.
    pub fn check(&self) -> Result<(), InvalidRateLimiter> {
        if self.requests == 0 || self.burst == 0 {
            Err(InvalidRateLimiter::NoRequests)
        } else if self.period.is_zero() || self.period > PERIOD_MAX {
            Err(InvalidRateLimiter::Period(self.period))
        } else {
            Ok(())
        }
    }
}

/// The generic cell rate algorithm (ITU-T I.371) in exact integers.
///
/// A key has one number, the theoretical arrival time of its next request if all of them came evenly. Times
/// are counted in nanoseconds *times the requests per period*: in that unit the distance between two
/// requests, `period / requests`, is the period itself, so that nothing is ever rounded. 128 bits hold
/// 584 years at four billion requests per period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gcra {
    requests: u128,
    /// The distance between two requests.
    cost: u128,
    /// How far the arrival time may be ahead.
    capacity: u128,
}

/// What a request is told, in the unit of [`Gcra`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Let in; the key's new arrival time, and how far it is ahead of now.
    Allowed { arrival: u128, ahead: u128 },
    /// Refused; how far the arrival time is ahead of now.
    Limited { ahead: u128 },
}

impl Gcra {
    pub(super) fn new(quota: &Quota) -> Self {
        let cost = quota.period.as_nanos();
        Self {
            requests: quota.requests.into(),
            cost,
            capacity: cost * u128::from(quota.burst),
        }
    }

    pub(super) fn at(&self, now_ns: u64) -> u128 {
        u128::from(now_ns) * self.requests
    }

    /// Decides on one request of a key with this arrival time, 0 for a key never seen.
    pub(super) fn decide(&self, arrival: u128, now: u128) -> Decision {
        let arrival = arrival.max(now) + self.cost;
        let ahead = arrival - now;
        if ahead <= self.capacity {
            Decision::Allowed { arrival, ahead }
        } else {
            Decision::Limited {
                ahead: ahead - self.cost,
            }
        }
    }

    /// How many requests more are allowed at once.
    pub(super) fn remaining(&self, ahead: u128) -> u32 {
        u32::try_from(self.capacity.saturating_sub(ahead) / self.cost).unwrap_or(u32::MAX)
    }

    /// How long until the key is as if it had never asked.
    pub(super) fn reset_after(&self, ahead: u128) -> Duration {
        self.duration(ahead)
    }

    /// How long until the next request is allowed.
    pub(super) fn retry_after(&self, ahead: u128) -> Duration {
        self.duration((ahead + self.cost).saturating_sub(self.capacity))
    }

    /// Rounded up: a wait that is a nanosecond too short is a refusal.
    fn duration(&self, span: u128) -> Duration {
        Duration::from_nanos(u64::try_from(span.div_ceil(self.requests)).unwrap_or(u64::MAX))
    }
}

const PERIOD_MAX: Duration = Duration::from_secs(86_400);
