//! What a check says, and the headers that tell it to a client.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use msf_core::problem::{Code, Problem};

use super::{
    gcra::duration,
    seen::{Seen, Standing, whole_seconds},
};

/// The field that tells how much is left, of draft-ietf-httpapi-ratelimit-headers.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The field that tells the quota, of draft-ietf-httpapi-ratelimit-headers.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The problem type of a refusal, of draft-ietf-httpapi-ratelimit-headers.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The request is within every limit and has been counted.
///
/// Its figures are those of the limit that allows least now; [`standings`](Self::standings) has all of them.
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
    seen: Seen,
}

/// How a key stands, without counting anything.
///
/// ```
/// use msf_resilience::rate_limit::{Quota, RateLimiter};
///
/// let limiter = RateLimiter::builder(Quota::per_hour(2)).build()?;
/// limiter.check(&"ada")?;
/// let peeked = limiter.peek(&"ada");
/// assert_eq!(peeked.remaining(), 1);
/// assert!(peeked.retry_after(1).is_zero());
/// assert!(peeked.retry_after(2).as_secs() > 1_700);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Peeked {
    seen: Seen,
}

/// The request is above a limit and was not counted, in any of them.
///
/// Its figures are those of the limit that it would have to wait for longest.
/// It turns into a [`Problem`] with the code `rate_limited`, status 429, the type [`QUOTA_EXCEEDED`], the names of
/// the limits without room in `violated-policies`, and `Retry-After`;
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
    seen: Seen,
    cost: u32,
}

/// The request costs more than a limit allows at once, so it can never succeed.
///
/// ```
/// use msf_resilience::rate_limit::{Quota, RateLimiter, Refused};
///
/// let limiter = RateLimiter::builder(Quota::per_second(100).burst(10)).build()?;
/// let Err(Refused::TooCostly(refused)) = limiter.check_n(&"ada", 11) else { panic!() };
/// assert_eq!((refused.cost(), refused.burst()), (11, 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a request that costs {cost} can never pass the rate limit `{name}`, which allows {burst} at once"
)]
pub struct TooCostly {
    name: &'static str,
    cost: u32,
    burst: u32,
}

/// Why a request of some cost is refused.
///
/// See [`TooCostly`] for an example.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not now.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// So many requests of this key wait already that it may not wait too.
    #[error("as many requests wait for the rate limit `{}` as may wait", .0.name())]
    QueueFull(Limited),
    /// Never.
    #[error(transparent)]
    TooCostly(#[from] TooCostly),
}

impl Refused {
    /// A request that costs 1 is within every burst, and does not wait.
    #[inline]
    pub(super) fn of_one(self) -> Limited {
        match self {
            Self::Limited(limited) | Self::QueueFull(limited) => limited,
            Self::TooCostly(_) => unreachable!("a burst is at least 1"),
        }
    }
}

impl Allowed {
    #[inline]
    pub(super) const fn new(seen: Seen) -> Self {
        Self { seen }
    }

    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.seen.tightest().name()
    }

    /// How many requests the limit allows at once: its burst.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.seen.tightest().quota().burst_size()
    }

    /// How many more requests of this key are allowed now.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.seen.tightest().remaining()
    }

    /// How long until the whole limit is there again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.seen.tightest().reset_after()
    }

    /// How the key stands with each limit, in the order of the builder.
    pub fn standings(&self) -> impl ExactSizeIterator<Item = Standing> {
        self.seen.standings()
    }

    /// Adds `RateLimit` and `RateLimit-Policy` for each limit, beside those of other limiters.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        self.seen.write_to(None, None, headers);
    }

    /// The same, with the key that the quota is for as `pk`.
    ///
    /// Everybody on the way can read it, and a client can decode it: give the hash of what is secret.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use msf_resilience::rate_limit::{Quota, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder(Quota::per_minute(60)).name("api").build()?;
    /// let mut headers = HeaderMap::new();
    /// limiter.check(&"ada")?.write_partition_to(b"ada", &mut headers);
    /// assert_eq!(headers["ratelimit"], r#""api";r=59;t=1;pk=:YWRh:"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_partition_to(&self, key: &[u8], headers: &mut HeaderMap) {
        self.seen.write_to(None, Some(key), headers);
    }
}

impl Peeked {
    #[inline]
    pub(super) const fn new(seen: Seen) -> Self {
        Self { seen }
    }

    /// How many requests of this key are allowed now: the least of all limits.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.seen.tightest().remaining()
    }

    /// How long until a request of this cost is allowed; zero if it is allowed now.
    ///
    /// For a cost above a burst it is a wait after which it is still refused.
    #[must_use]
    pub fn retry_after(&self, cost: u32) -> Duration {
        duration(self.seen.longest(cost).wait(cost))
    }

    /// How long until every limit is whole again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        let resets = self.standings().map(|standing| standing.reset_after());
        resets.max().unwrap_or_default()
    }

    /// How the key stands with each limit, in the order of the builder.
    pub fn standings(&self) -> impl ExactSizeIterator<Item = Standing> {
        self.seen.standings()
    }

    /// Adds `RateLimit` and `RateLimit-Policy` for each limit, beside those of other limiters.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        self.seen.write_to(None, None, headers);
    }
}

impl Limited {
    #[inline]
    pub(super) const fn new(seen: Seen, cost: u32) -> Self {
        Self { seen, cost }
    }

    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.longest().name()
    }

    /// How many requests the limit allows at once: its burst.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.longest().quota().burst_size()
    }

    /// How many more requests of this key are allowed now: none, unless this one cost more than one.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.seen.tightest().remaining()
    }

    /// How long until the whole limit is there again, if nothing more is asked.
    #[must_use]
    pub fn reset_after(&self) -> Duration {
        self.longest().reset_after()
    }

    /// How long until a request of this cost is allowed.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        duration(self.longest().wait(self.cost))
    }

    /// How the key stands with each limit, in the order of the builder.
    pub fn standings(&self) -> impl ExactSizeIterator<Item = Standing> {
        self.seen.standings()
    }

    /// The limits that have no room for it.
    pub fn violated(&self) -> impl Iterator<Item = Standing> {
        let cost = self.cost;
        self.standings()
            .filter(move |standing| standing.wait(cost) > 0)
    }

    /// Adds `RateLimit` and `RateLimit-Policy` for each limit, beside those of other limiters, and sets `Retry-After`
    /// in whole seconds, rounded up, at least 1.
    ///
    /// The `t` of a limit without room is the time until it has room, so that both say the same.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        self.write(None, headers);
    }

    /// The same, with the key that the quota is for as `pk`; see [`Allowed::write_partition_to`].
    pub fn write_partition_to(&self, key: &[u8], headers: &mut HeaderMap) {
        self.write(Some(key), headers);
    }

    fn write(&self, partition: Option<&[u8]>, headers: &mut HeaderMap) {
        self.seen.write_to(Some(self.cost), partition, headers);
        let seconds = whole_seconds(self.retry_after()).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }

    fn longest(&self) -> Standing {
        self.seen.longest(self.cost)
    }
}

impl TooCostly {
    pub(super) const fn new(name: &'static str, cost: u32, burst: u32) -> Self {
        Self { name, cost, burst }
    }

    /// The limit's name.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// What the request costs.
    #[must_use]
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// What the limit allows at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let violated: Vec<_> = limited.violated().map(|limit| limit.name()).collect();
        Self::new(Code::RateLimited)
            .with_type(QUOTA_EXCEEDED, "Too many requests")
            .with_member("violated-policies", violated)
            .with_retry_after(limited.retry_after())
            .with_log_detail(limited.to_string())
    }
}

impl From<TooCostly> for Problem {
    /// Without `Retry-After`: there is no time at which it would pass.
    fn from(refused: TooCostly) -> Self {
        Self::new(Code::RateLimited)
            .with_type(QUOTA_EXCEEDED, "Too many requests")
            .with_member("violated-policies", vec![refused.name])
            .with_detail("This request costs more than the limit allows at once.")
            .with_log_detail(refused.to_string())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limited(limited) | Refused::QueueFull(limited) => limited.into(),
            Refused::TooCostly(refused) => refused.into(),
        }
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

impl fmt::Debug for Peeked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peeked")
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
