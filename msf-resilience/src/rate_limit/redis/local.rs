//! Limits in memory, for as long as Redis is away.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use msf_core::clock::Epoch;

use super::super::{
    gcra::{Gcra, Ticks, moment, ticks},
    store::{Demand, LimitStore, StoreError, Verdict},
};

/// A store in memory, bounded by forgetting the keys that were not seen for longest.
///
/// One lock for everything: it is held for a few lookups, and only while Redis is away.
#[derive(Debug)]
pub(super) struct LocalStore {
    epoch: Epoch,
    generations: Mutex<Generations>,
}

/// Arrival times in two generations. A full young one becomes the old one, and the old one is forgotten: keys stay for
/// at least as many others as a generation has room for, at no cost that grows.
#[derive(Debug)]
struct Generations {
    young: HashMap<Box<str>, Ticks>,
    old: HashMap<Box<str>, Ticks>,
    room: usize,
}

impl LocalStore {
    /// Remembers at least so many keys, and at most twice as many.
    pub(super) fn new(room: usize) -> Self {
        Self {
            epoch: Epoch::new(),
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
                room: room.max(1),
            }),
        }
    }

    fn charge(&self, demands: &[Demand<'_>]) -> Verdict {
        let now = moment(self.epoch.nanos());
        let mut generations = self.lock();
        let mut aheads: Vec<(Gcra, Ticks)> = demands
            .iter()
            .map(|demand| {
                let gcra = Gcra::new(&demand.quota, 0);
                let ahead = gcra.ahead(generations.arrival(demand.key), now);
                (gcra, ahead)
            })
            .collect();
        let allowed = (demands.iter().zip(&aheads))
            .all(|(demand, (gcra, ahead))| gcra.has_room(*ahead, demand.cost));
        if allowed {
            for (demand, (gcra, ahead)) in demands.iter().zip(&mut aheads) {
                *ahead += gcra.distance * u64::from(demand.cost);
                if demand.cost > 0 {
                    generations.keep(demand.key, now + *ahead);
                }
            }
        }
        let aheads = aheads.into_iter().map(|(_, ahead)| floor(ahead));
        Verdict::new(allowed, aheads.collect())
    }

    fn give_back(&self, demands: &[Demand<'_>]) {
        let now = moment(self.epoch.nanos());
        let mut generations = self.lock();
        for demand in demands {
            let gcra = Gcra::new(&demand.quota, 0);
            let ahead = gcra.ahead(generations.arrival(demand.key), now);
            if ahead > 0 {
                let back = gcra.distance.saturating_mul(demand.cost.into());
                generations.keep(demand.key, now + ahead.saturating_sub(back));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // A number is written or it is not.
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Down to a nanosecond, so that what remains is not one request less than it is.
fn floor(span: Ticks) -> Duration {
    Duration::from_nanos(span / ticks(Duration::from_nanos(1)))
}

impl Generations {
    /// 0 for a key that is not remembered.
    fn arrival(&self, key: &str) -> Ticks {
        let arrival = self.young.get(key).or_else(|| self.old.get(key));
        arrival.copied().unwrap_or(0)
    }

    fn keep(&mut self, key: &str, arrival: Ticks) {
        if let Some(known) = self.young.get_mut(key) {
            *known = arrival;
            return;
        }
        if self.young.len() >= self.room {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key.into(), arrival);
    }
}

#[async_trait]
impl LimitStore for LocalStore {
    async fn decide(&self, demands: &[Demand<'_>]) -> Result<Verdict, StoreError> {
        Ok(self.charge(demands))
    }

    async fn refund(&self, demands: &[Demand<'_>]) -> Result<(), StoreError> {
        self.give_back(demands);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::quota::Quota, *};

    #[tokio::test(start_paused = true)]
    async fn keys_are_bounded_and_the_latest_stay() {
        let store = LocalStore::new(8);
        let is_allowed = |at: u32| {
            let key = at.to_string();
            let hourly = Demand::new(&key, Quota::per_hour(1), 1);
            store.charge(&[hourly]).allowed
        };
        for at in 0..1_000 {
            assert!(is_allowed(at));
        }
        let generations = store.lock();
        assert!(generations.young.len() + generations.old.len() <= 16);
        drop(generations);
        for at in 992..1_000 {
            assert!(!is_allowed(at), "{at}");
        }
    }
}
