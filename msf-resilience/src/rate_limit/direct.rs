//! The handle of a limit for everyone together.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    builder::RateLimiterBuilder,
    core::Core,
    decision::{Allowed, Limited, Peeked, Refused},
    error::InvalidRateLimiter,
    limits::Limits,
    memory::EVERYBODY,
    quota::Quota,
    reservation::Reservation,
};

/// A rate limit for everyone together. Clones share it.
///
/// It does what a [`RateLimiter`](super::RateLimiter) does without looking for a key: with one limit, a check is one
/// compare-and-swap.
///
/// ```
/// use msf_resilience::rate_limit::{DirectLimiter, Quota};
///
/// let limiter = DirectLimiter::builder(Quota::per_second(100).burst(2)).name("mails").build_direct()?;
/// assert_eq!(limiter.check()?.remaining(), 1);
/// limiter.check()?;
/// assert!(limiter.check().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DirectLimiter {
    core: Arc<Core>,
}

impl DirectLimiter {
    /// Begins a limiter; end it with [`build_direct`](RateLimiterBuilder::build_direct).
    pub fn builder(quota: Quota) -> RateLimiterBuilder<()> {
        RateLimiterBuilder::new(quota)
    }

    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The quotas of all limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.core.limits()
    }

    /// The name of the first limit, which is the limiter's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core.label().name(0)
    }

    /// Replaces the quotas; see [`RateLimiter::set_limits`](super::RateLimiter::set_limits).
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] as for the builder, or for another number of limits than it has; the old quotas stay.
    pub fn set_limits(&self, limits: impl Into<Limits>) -> Result<(), InvalidRateLimiter> {
        self.core.set_limits(&limits.into())
    }

    /// Counts one request, or refuses it. A refused request costs nothing.
    ///
    /// # Errors
    ///
    /// [`Limited`] when the quota is used up.
    #[inline]
    pub fn check(&self) -> Result<Allowed, Limited> {
        self.core.check(EVERYBODY, None)
    }

    /// Counts a request that costs as much as `cost` others, or refuses it. A cost of 0 counts nothing.
    ///
    /// # Errors
    ///
    /// [`Refused::Limited`] when there is not so much left, [`Refused::TooCostly`] when there never will be.
    #[inline]
    pub fn check_n(&self, cost: u32) -> Result<Allowed, Refused> {
        self.core.check_n(EVERYBODY, None, cost)
    }

    /// How the limit stands, without counting anything.
    #[must_use]
    pub fn peek(&self) -> Peeked {
        self.core.peek(EVERYBODY, None)
    }

    /// Gives back what a request has cost; no further than to a whole burst.
    pub fn refund(&self, cost: u32) {
        self.core.refund(EVERYBODY, None, cost);
    }

    /// Counts a request and says when it may be made, if that is within `max_wait`.
    ///
    /// # Errors
    ///
    /// As [`RateLimiter::reserve`](super::RateLimiter::reserve).
    pub fn reserve(&self, cost: u32, max_wait: Duration) -> Result<Reservation, Refused> {
        let queued = self.core.queue(EVERYBODY, None, cost, max_wait)?;
        Ok(Reservation::new(&self.core, EVERYBODY, None, cost, &queued))
    }

    /// Waits for its turn, for `max_wait` at the longest, and counts one request.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops its [`Reservation`], which gives its place back if it was the last.
    pub async fn acquire(&self, max_wait: Duration) -> Result<Allowed, Refused> {
        Ok(self.reserve(1, max_wait)?.ready().await)
    }
}

impl fmt::Debug for DirectLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectLimiter")
            .field("name", &self.name())
            .field("quotas", &self.limits().quotas())
            .finish_non_exhaustive()
    }
}
