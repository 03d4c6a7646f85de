//! A store in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use msf_core::clock::Epoch;

use super::{Demand, LimitStore, StoreError, Verdict};
use crate::rate_limit::gcra::{Gcra, Ticks, duration, moment};

/// A [`LimitStore`] in memory: for tests, and for one process that may become several.
///
/// It never fails. It is one map behind a mutex: for limits that only one process has,
/// [`RateLimiter`](crate::rate_limit::RateLimiter) is several times as fast.
///
/// ```
/// use msf_resilience::rate_limit::{Quota, store::{Demand, LimitStore, MemoryStore}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(10_000);
/// let second = Demand::new("ada:second", Quota::per_second(10), 1);
/// let hour = Demand::new("ada:hour", Quota::per_hour(1), 1);
/// assert!(store.decide(&[second, hour]).await?.allowed);
/// assert!(!store.decide(&[second, hour]).await?.allowed);
/// assert!(store.decide(&[second]).await?.allowed);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    epoch: Epoch,
    times: Mutex<HashMap<Box<str>, Ticks>>,
    max_keys: usize,
}

impl MemoryStore {
    /// A store that remembers at most so many keys, and at least the four of one call. When it is full of keys that owe
    /// something, it forgets any of them.
    #[must_use]
    pub fn new(max_keys: usize) -> Self {
        Self {
            epoch: Epoch::new(),
            times: Mutex::default(),
            max_keys: max_keys.max(4),
        }
    }

    /// How many keys are remembered now, idle ones included.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.lock().len()
    }

    fn now(&self) -> Ticks {
        moment(self.epoch.nanos())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Ticks>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, times: &mut HashMap<Box<str>, Ticks>, key: &str, time: Ticks, now: Ticks) {
        if let Some(known) = times.get_mut(key) {
            *known = time;
            return;
        }
        // Amortised: gone through once per as many new keys as it can hold, or when it is full.
        if times.len() >= self.max_keys || times.len() == times.capacity() {
            times.retain(|_, time| *time > now);
        }
        if times.len() >= self.max_keys {
            let any = times.keys().next().cloned();
            any.and_then(|any| times.remove(&any));
        }
        times.insert(key.into(), time);
    }
}

#[async_trait]
impl LimitStore for MemoryStore {
    async fn decide(&self, demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        let mut times = self.lock();
        let now = self.now();
        let ahead = |times: &HashMap<Box<str>, Ticks>, demand: &Demand<'_>| {
            let time = times.get(demand.key).copied().unwrap_or_default();
            Gcra::new(&demand.quota, 0).ahead(time, now)
        };
        let allowed = demands.iter().all(|demand| {
            let gcra = Gcra::new(&demand.quota, 0);
            demand.cost <= demand.quota.burst_size()
                && gcra.has_room(ahead(&times, demand), demand.cost)
        });
        let mut all = Vec::with_capacity(demands.len());
        for demand in demands {
            let mut ahead = ahead(&times, demand);
            if allowed && demand.cost > 0 {
                ahead += Gcra::new(&demand.quota, 0).distance * u64::from(demand.cost);
                self.set(&mut times, demand.key, now + ahead, now);
            }
            all.push(duration(ahead));
        }
        Ok(Verdict::new(allowed, all))
    }

    async fn refund(&self, demands: &[Demand<'_>]) -> Result<(), StoreError> {
        let mut times = self.lock();
        let now = self.now();
        for demand in demands {
            if let Some(time) = times.get_mut(demand.key) {
                let gcra = Gcra::new(&demand.quota, 0);
                let back = gcra.distance.saturating_mul(demand.cost.into());
                *time = now + gcra.ahead(*time, now).saturating_sub(back);
            }
        }
        Ok(())
    }
}
