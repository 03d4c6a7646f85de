//! What a check says, and the headers that tell it to a client.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use msf_core::problem::{Code, Problem};

use super::policy::Policy;

/// The field that tells how much is left, of draft-ietf-httpapi-ratelimit-headers.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The field that tells the quota, of draft-ietf-httpapi-ratelimit-headers.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The request is within the limit and has been counted.
///
/// ```
/// use http::HeaderMap;
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_minute(60)).name("api").build()?;
/// let allowed = limiter.check(&"ada")?;
/// assert_eq!((allowed.limit(), allowed.remaining()), (60, 59));
///
/// let mut headers = HeaderMap::new();
/// allowed.write_to(&mut headers);
/// assert_eq!(headers["ratelimit"], r#""api";r=59;t=1"#);
/// assert_eq!(headers["ratelimit-policy"], r#""api";q=60;w=60"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Allowed {
    policy: Arc<Policy>,
    ahead: u128,
}

/// The request is above the limit and was not counted.
///
/// It turns into a [`Problem`] with the code `rate_limited`, status 429 and `Retry-After`;
/// [`write_to`](Self::write_to) adds the other fields.
///
/// ```
/// use msf_core::problem::Problem;
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_hour(1)).build()?;
/// limiter.check(&7)?;
/// let limited = limiter.check(&7).unwrap_err();
/// assert!(limited.retry_after().as_secs() > 3_500);
/// assert_eq!(Problem::from(limited).status(), 429);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, thiserror::Error)]
#[error("the rate limit `{}` is reached for another {:?}", self.name(), self.retry_after())]
pub struct Limited {
    policy: Arc<Policy>,
    ahead: u128,
}

impl Allowed {
    pub(super) const fn new(policy: Arc<Policy>, ahead: u128) -> Self {
        Self { policy, ahead }
    }

    /// The limiter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.policy.name()
    }

    /// How many requests the limit allows at once: its burst.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.policy.quota().burst_size()
    }

    /// How many more requests of this key are allowed now.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.policy.gcra().remaining(self.ahead)
    }

    /// How long until the whole limit is there again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.policy.gcra().reset_after(self.ahead)
    }

    /// Adds `RateLimit` and `RateLimit-Policy`, beside those of other limits.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        self.policy
            .write_to(headers, self.remaining(), self.reset_after());
    }
}

impl Limited {
    pub(super) const fn new(policy: Arc<Policy>, ahead: u128) -> Self {
        Self { policy, ahead }
    }

    /// The limiter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.policy.name()
    }

    /// How many requests the limit allows at once: its burst.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.policy.quota().burst_size()
    }

    /// How many more requests of this key are allowed now: none.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        0
    }

    /// How long until the whole limit is there again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.policy.gcra().reset_after(self.ahead)
    }

    /// How long until the next request is allowed.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.policy.gcra().retry_after(self.ahead)
    }

    /// Adds `RateLimit` and `RateLimit-Policy`, beside those of other limits, and sets `Retry-After` in
    /// whole seconds, rounded up, at least 1.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        self.policy.write_to(headers, 0, self.reset_after());
        let seconds = super::policy::whole_seconds(self.retry_after()).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::new(Code::RateLimited)
            .with_retry_after(limited.retry_after())
            .with_log_detail(limited.to_string())
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allowed")
            .field("name", &self.name())
            .field("remaining", &self.remaining())
            .field("reset_after", &self.reset_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited")
            .field("name", &self.name())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}
