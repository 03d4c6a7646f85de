//! The seam for limits that several processes share.

mod memory;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use msf_core::BoxError;

pub use self::memory::MemoryStore;
use super::quota::Quota;

/// What a call asks of one limit.
///
/// ```
/// use msf_resilience::rate_limit::{Quota, store::Demand};
///
/// let demand = Demand::new("api:second:ada", Quota::per_second(10), 1);
/// assert_eq!((demand.key, demand.cost), ("api:second:ada", 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand<'a> {
    /// Whose count it is, and of which limit: unique in the whole store.
    pub key: &'a str,
    /// The limit. Who built it has checked it: [`Quota::check`] is `Ok`.
    pub quota: Quota,
    /// How many requests it counts for; 0 only looks. At most the burst.
    pub cost: u32,
}

impl<'a> Demand<'a> {
    /// A demand on one limit.
    #[must_use]
    pub const fn new(key: &'a str, quota: Quota, cost: u32) -> Self {
        Self { key, quota, cost }
    }
}

/// What a store decided about all demands of one call.
///
/// `ahead` has one entry per demand, in their order: how far the key's theoretical arrival time (TAT) lies ahead of
/// the store's clock - after the charge if the call was allowed, as it is if not; zero for a key whose burst is whole.
/// Everything that a caller is told follows from it, the quota and the cost.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::rate_limit::store::Verdict;
///
/// let verdict = Verdict::new(true, vec![Duration::from_millis(100)]);
/// assert!(verdict.allowed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether every limit had room, and all were charged; otherwise none was.
    pub allowed: bool,
    /// How far each key's arrival time is ahead of now.
    pub ahead: Vec<Duration>,
}

impl Verdict {
    /// A verdict.
    #[must_use]
    pub const fn new(allowed: bool, ahead: Vec<Duration>) -> Self {
        Self { allowed, ahead }
    }
}

/// The store did not decide.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or it failed.
    #[error("the store of the rate limit failed")]
    Unavailable(#[source] BoxError),
    /// It did not answer in time.
    #[error("the store of the rate limit did not answer within {0:?}")]
    Timeout(Duration),
    /// It is known to be failing and was not asked.
    #[error("the store of the rate limit is not asked for another {0:?}")]
    Suspended(Duration),
    /// It answered something that is not a verdict.
    #[error("the store of the rate limit answered nonsense: {0}")]
    Nonsense(Box<str>),
}

/// Where shared limits are counted: in memory, in Redis.
///
/// The arithmetic is the generic cell rate algorithm. With `distance = period / requests` and
/// `capacity = distance * burst`, for each demand: `new = max(tat, now) + cost * distance`, and there is room if
/// `new - now <= capacity`. A store may count in a coarser unit than nanoseconds; it then rounds `distance` up, so that
/// nobody gets more than the quota. It may forget a key whose `tat` is not ahead of now.
///
/// The shared vectors of this crate's tests say what every store must answer.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of rate limits",
    note = "implement `LimitStore`, or use `store::MemoryStore`"
)]
pub trait LimitStore: fmt::Debug + Send + Sync {
    /// Charges all demands or, if one has no room, none, in one atomic step and one round trip.
    ///
    /// No two demands of a call have the same key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when nothing was decided. Whether something was charged is then unknown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the demands charged or not, but all of them alike.
    async fn decide(&self, demands: &[Demand<'_>]) -> Result<Verdict, StoreError>;

    /// The unit in which it keeps time; zero for as fine as it goes.
    ///
    /// Who tells a client how much is left rounds `distance` up to it as the store does.
    fn grain(&self) -> Duration {
        Duration::ZERO
    }

    /// Gives back what was charged, no further than to a whole burst.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unknown whether it was given back.
    async fn refund(&self, demands: &[Demand<'_>]) -> Result<(), StoreError>;
}
