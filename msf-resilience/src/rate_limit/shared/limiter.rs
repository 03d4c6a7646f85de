//! The handle.

use std::sync::Arc;

use super::{builder::SharedRateLimiterBuilder, error::SharedError};
use crate::rate_limit::{
    decision::{Allowed, Limited, Peeked, TooCostly},
    gcra::{Gcra, Ticks, ticks},
    label::Label,
    limits::{LIMITS_MAX, Limit, Limits},
    metrics::SharedMetrics,
    quota::Quota,
    seen::Seen,
    store::{Demand, LimitStore, StoreError, Verdict},
};

/// A rate limit per key, or several, counted in a store that other processes use too. Clones share it.
///
/// ```
/// use msf_resilience::rate_limit::{Quota, shared::SharedRateLimiter, store::MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(10_000);
/// let limiter = SharedRateLimiter::builder(store, Quota::per_second(10))
///     .name("api")
///     .limit("api-hour", Quota::per_hour(2))
///     .build()?;
/// assert_eq!(limiter.check("ada").await?.remaining(), 1);
/// assert_eq!(limiter.check("ada").await?.remaining(), 0);
/// assert!(limiter.check("ada").await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedRateLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn LimitStore>,
    label: &'static Label,
    limits: Limits,
    metrics: Option<SharedMetrics>,
}

impl SharedRateLimiter {
    /// Begins a limiter whose counts are in `store`.
    pub fn builder(store: impl LimitStore + 'static, quota: Quota) -> SharedRateLimiterBuilder {
        Self::builder_in(Arc::new(store), quota)
    }

    /// Begins a limiter in a store that others use too.
    pub fn builder_in(store: Arc<dyn LimitStore>, quota: Quota) -> SharedRateLimiterBuilder {
        SharedRateLimiterBuilder::new(store, quota)
    }

    pub(super) fn new(
        store: Arc<dyn LimitStore>,
        label: &'static Label,
        limits: Limits,
        metrics: Option<SharedMetrics>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                label,
                limits,
                metrics,
            }),
        }
    }

    /// The name of the first limit, which is the limiter's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.label.name(0)
    }

    /// The quotas of all limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Counts one request of a key, or refuses it.
    ///
    /// # Errors
    ///
    /// [`SharedError`] when it is refused, or when the store did not decide.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the request counted or not, in all of its limits alike.
    pub async fn check(&self, key: &str) -> Result<Allowed, SharedError> {
        self.check_n(key, 1).await
    }

    /// Like [`check`](Self::check), for a request that costs as much as `cost` others.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    ///
    /// # Cancel safety
    ///
    /// As [`check`](Self::check).
    pub async fn check_n(&self, key: &str, cost: u32) -> Result<Allowed, SharedError> {
        let Shared { label, limits, .. } = &*self.shared;
        for (place, quota) in limits.quotas().iter().enumerate() {
            if cost > quota.burst_size() {
                let refused = TooCostly::new(label.name(place), cost, quota.burst_size());
                return Err(SharedError::Refused(refused.into()));
            }
        }
        let verdict = self.decide(key, cost).await?;
        let seen = self.seen(&verdict)?;
        let metrics = self.shared.metrics.as_ref();
        if verdict.allowed {
            metrics.inspect(|metrics| metrics.allowed.inc());
            Ok(Allowed::new(seen))
        } else {
            metrics.inspect(|metrics| metrics.limited.inc());
            Err(SharedError::Refused(Limited::new(seen, cost).into()))
        }
    }

    /// How a key stands, without counting anything.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store did not answer.
    pub async fn peek(&self, key: &str) -> Result<Peeked, StoreError> {
        let verdict = self.decide(key, 0).await?;
        Ok(Peeked::new(self.seen(&verdict)?))
    }

    /// Gives back what a request has cost; no further than to a whole burst.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is unknown whether it was given back.
    pub async fn refund(&self, key: &str, cost: u32) -> Result<(), StoreError> {
        let keys = self.keys(key);
        let demands = self.demands(&keys, cost);
        self.failure(self.shared.store.refund(&demands[..keys.len()]).await)
    }

    async fn decide(&self, key: &str, cost: u32) -> Result<Verdict, StoreError> {
        let keys = self.keys(key);
        let demands = self.demands(&keys, cost);
        self.failure(self.shared.store.decide(&demands[..keys.len()]).await)
    }

    /// One key per limit. What is in braces is the same for all, so that a cluster keeps them on one node; it begins
    /// with the name, since braces with nothing in them would not count.
    fn keys(&self, key: &str) -> Vec<String> {
        let label = self.shared.label;
        let name = label.name(0);
        let limits = 0..self.shared.limits.quotas().len();
        limits
            .map(|limit| format!("{{{name}:{key}}}:{}", label.name(limit)))
            .collect()
    }

    fn demands<'a>(&self, keys: &'a [String], cost: u32) -> [Demand<'a>; LIMITS_MAX] {
        let quotas = self.shared.limits.quotas();
        std::array::from_fn(|place| {
            let place = place % quotas.len();
            Demand::new(&keys[place], quotas[place], cost)
        })
    }

    fn seen(&self, verdict: &Verdict) -> Result<Seen, StoreError> {
        let Shared { label, limits, .. } = &*self.shared;
        let quotas = limits.quotas();
        if verdict.ahead.len() != quotas.len() {
            let text = format!("{} counts for {} limits", verdict.ahead.len(), quotas.len());
            return self.failure(Err(StoreError::Nonsense(text.into())));
        }
        let all: [Limit; LIMITS_MAX] = std::array::from_fn(|place| {
            let quota = quotas[place % quotas.len()];
            let gcra = Gcra::with_grain(&quota, 0, label.grain());
            Limit { quota, gcra }
        });
        let ahead: [Ticks; LIMITS_MAX] = std::array::from_fn(|place| {
            let place = place % quotas.len();
            // Whatever a store says, nobody owes more than a burst.
            ticks(verdict.ahead[place]).min(all[place].gcra.capacity)
        });
        Ok(Seen::new(label, &all[..quotas.len()], &ahead))
    }

    fn failure<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(_), Some(metrics)) = (&result, &self.shared.metrics) {
            metrics.failures.inc();
        }
        result
    }
}
