//! The handle of a limit per key.

use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::Arc,
    time::Duration,
};

use foldhash::quality::RandomState;

use super::{
    builder::RateLimiterBuilder,
    core::Core,
    decision::{Allowed, Limited, Peeked, Refused},
    entry::NOBODY,
    error::InvalidRateLimiter,
    level::Address,
    limits::Limits,
    quota::Quota,
    reservation::Reservation,
};

/// A rate limit per key, or several. Clones share it.
///
/// The [module documentation](super) has the rules and the layers; a limit for everyone together is a
/// [`DirectLimiter`](super::DirectLimiter).
///
/// ```
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_minute(60).burst(2)).name("login").build()?;
/// assert_eq!(limiter.check(&"ada")?.remaining(), 1);
/// assert_eq!(limiter.check(&"ada")?.remaining(), 0);
/// assert!(limiter.check(&"ada").is_err());
/// assert!(limiter.check(&"grace").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RateLimiter<K> {
    core: Arc<Core>,
    /// For the identity of a key and for its place: see [`Address`].
    hashers: [RandomState; 2],
    own: Option<Own<K>>,
}

/// The limits of a key that has its own.
pub(super) type Own<K> = Arc<dyn Fn(&K) -> Option<Limits> + Send + Sync>;

impl<K> RateLimiter<K> {
    /// Begins a limiter.
    pub fn builder(quota: Quota) -> RateLimiterBuilder<K> {
        RateLimiterBuilder::new(quota)
    }

    pub(super) fn new(core: Arc<Core>, own: Option<Own<K>>) -> Self {
        Self {
            core,
            hashers: [RandomState::default(), RandomState::default()],
            own,
        }
    }

    /// The quota of the first limit.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.limits().quotas()[0]
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

    /// How many keys are remembered now, idle ones included.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.core.keys()
    }

    /// Replaces the quota of a limiter with one limit; see [`set_limits`](Self::set_limits).
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] as for the builder; the old quota stays.
    pub fn set_quota(&self, quota: Quota) -> Result<(), InvalidRateLimiter> {
        self.core.set_limits(&quota.into())
    }

    /// Replaces the quotas, one for each limit, for every check from now on.
    ///
    /// What a key owes is kept as a time: who has to wait for another second still has to. But nobody owes more than
    /// the whole burst of the new quota and its queue.
    ///
    /// ```
    /// use msf_resilience::rate_limit::{Quota, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder(Quota::per_hour(1)).build()?;
    /// limiter.check(&"ada")?;
    /// assert!(limiter.check(&"ada").is_err());
    ///
    /// limiter.set_quota(Quota::per_hour(4).burst(8))?;
    /// assert_eq!(limiter.check(&"ada")?.remaining(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] as for the builder, or for another number of limits than it has; the old quotas stay.
    pub fn set_limits(&self, limits: impl Into<Limits>) -> Result<(), InvalidRateLimiter> {
        self.core.set_limits(&limits.into())
    }
}

impl<K: Hash> RateLimiter<K> {
    /// Counts one request of a key, or refuses it.
    ///
    /// A refused request costs nothing. It allocates nothing, unless the table of keys has to grow.
    ///
    /// # Errors
    ///
    /// [`Limited`] when the key has used up its quota.
    #[inline]
    pub fn check(&self, key: &K) -> Result<Allowed, Limited> {
        self.core.check(self.address(key), self.own(key))
    }

    /// Counts a request that costs as much as `cost` others, or refuses it. A cost of 0 counts nothing.
    ///
    /// # Errors
    ///
    /// [`Refused::Limited`] when the key has not so much left, [`Refused::TooCostly`] when it never will.
    #[inline]
    pub fn check_n(&self, key: &K, cost: u32) -> Result<Allowed, Refused> {
        self.core.check_n(self.address(key), self.own(key), cost)
    }

    /// How the key stands, without counting anything or remembering the key.
    #[must_use]
    pub fn peek(&self, key: &K) -> Peeked {
        self.core.peek(self.address(key), self.own(key))
    }

    /// Gives back what a request has cost, as when it came to nothing; no further than to a whole burst.
    pub fn refund(&self, key: &K, cost: u32) {
        self.core.refund(self.address(key), self.own(key), cost);
    }

    /// Counts a request and says when it may be made, if that is within `max_wait`.
    ///
    /// # Errors
    ///
    /// [`Refused::Limited`] when it would have to wait longer, [`Refused::QueueFull`] when
    /// [`max_queue`](RateLimiterBuilder::max_queue) requests wait already, [`Refused::TooCostly`] when no wait would help.
    /// Nothing is counted then.
    pub fn reserve(&self, key: &K, cost: u32, max_wait: Duration) -> Result<Reservation, Refused> {
        let (address, own) = (self.address(key), self.own(key));
        let queued = self.core.queue(address, own, cost, max_wait)?;
        Ok(Reservation::new(&self.core, address, own, cost, &queued))
    }

    /// Waits for its turn, for `max_wait` at the longest, and counts one request.
    ///
    /// Those who wait for a key go in the order in which they first polled this future. Who would have to wait too
    /// long is refused at once, not at the end of the wait.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops its [`Reservation`], which gives its place back if it was the last.
    pub async fn acquire(&self, key: &K, max_wait: Duration) -> Result<Allowed, Refused> {
        self.acquire_n(key, 1, max_wait).await
    }

    /// Like [`acquire`](Self::acquire), for a request that costs more.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_n(
        &self,
        key: &K,
        cost: u32,
        max_wait: Duration,
    ) -> Result<Allowed, Refused> {
        Ok(self.reserve(key, cost, max_wait)?.ready().await)
    }

    #[inline]
    fn address(&self, key: &K) -> Address {
        let [id, place] = &self.hashers;
        let id = id.hash_one(key);
        Address {
            id: if id == NOBODY { 1 } else { id },
            place: place.hash_one(key),
        }
    }

    #[inline]
    fn own(&self, key: &K) -> Option<Limits> {
        self.own.as_ref().and_then(|own| own(key))
    }
}

impl<K> Clone for RateLimiter<K> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            hashers: self.hashers.clone(),
            own: self.own.clone(),
        }
    }
}

impl<K> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("name", &self.name())
            .field("quotas", &self.limits().quotas())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}
