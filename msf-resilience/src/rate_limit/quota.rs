//! How much is allowed.

use std::time::Duration;

use super::error::InvalidRateLimiter;

/// So many requests per period, and how many of them may come at once.
///
/// The burst is the rate's own number unless [`burst`](Self::burst) says otherwise. What is impossible (no
/// requests, no period, no burst, a burst that takes longer than 366 days to come back) is an error of [`RateLimiterBuilder::build`](super::RateLimiterBuilder::build).
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
    burst: u32,
    /// In a word, since every decision carries it.
    period_ns: u64,
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
        let period_ns = period.as_nanos();
        Self {
            requests,
            burst: requests,
            period_ns: if period_ns < u64::MAX as u128 {
                #[expect(clippy::cast_possible_truncation, reason = "compared just before")]
                let period_ns = period_ns as u64;
                period_ns
            } else {
                u64::MAX
            },
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
        Duration::from_nanos(self.period_ns)
    }

    /// How many requests may come at once.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    pub(super) const fn raw(requests: u32, burst: u32, period_ns: u64) -> Self {
        Self {
            requests,
            burst,
            period_ns,
        }
    }

    pub(super) const fn period_ns(&self) -> u64 {
        self.period_ns
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
        } else if self.period_ns == 0 || self.period() > PERIOD_MAX {
            Err(InvalidRateLimiter::Period(self.period()))
        } else if u128::from(self.period_ns) * u128::from(self.burst)
            > RESTORE_MAX_NS * u128::from(self.requests)
        {
            Err(InvalidRateLimiter::Burst(self.burst))
        } else {
            Ok(())
        }
    }
}

const PERIOD_MAX: Duration = Duration::from_secs(86_400);
const RESTORE_MAX_NS: u128 = 366 * 86_400 * 1_000_000_000;
