//! The handle: keys in shards, each behind a lock of its own.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use msf_core::{clock, metrics::Metrics};
use tokio::time::Instant;

use super::{
    builder::RateLimiterBuilder,
    decision::{Allowed, Limited},
    error::InvalidRateLimiter,
    metrics::LimiterMetrics,
    policy::Policy,
    quota::{Decision, Quota},
    shard::Shard,
};

/// A rate limit per key. Clones share it.
///
/// The [module documentation](super) has the rules and the layers; a limit for everyone together has
/// the key `()`.
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
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    policy: Arc<Policy>,
    epoch: Instant,
    hasher: RandomState,
    /// A power of two of them.
    shards: Box<[Mutex<Shard<K>>]>,
    /// Keys in all shards, and places taken for keys about to be added.
    keys: AtomicUsize,
    max_keys: usize,
    metrics: Option<LimiterMetrics>,
}

impl<K> RateLimiter<K> {
    /// Begins a limiter.
    pub fn builder(quota: Quota) -> RateLimiterBuilder<K> {
        RateLimiterBuilder::new(quota)
    }

    /// The quota.
    #[must_use]
    pub fn quota(&self) -> &Quota {
        self.shared.policy.quota()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.policy.name()
    }

    /// How many keys are remembered now, idle ones included.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shared.keys.load(Ordering::Relaxed)
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> RateLimiter<K> {
    pub(super) fn new(
        policy: Policy,
        max_keys: usize,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidRateLimiter> {
        let handles = metrics
            .map(|metrics| LimiterMetrics::register(metrics, policy.name()))
            .transpose()?;
        let shards = (max_keys / KEYS_PER_SHARD_MIN)
            .clamp(1, SHARDS_MAX)
            .next_power_of_two();
        let shared = Arc::new(Shared {
            policy: Arc::new(policy),
            epoch: clock::now(),
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::new(Shard::new())).collect(),
            keys: AtomicUsize::new(0),
            max_keys,
            metrics: handles,
        });
        if let Some(metrics) = metrics {
            metrics.on_scrape_of(&shared, |shared| {
                if let Some(metrics) = &shared.metrics {
                    metrics.show(shared.keys.load(Ordering::Relaxed));
                }
            });
        }
        Ok(Self { shared })
    }
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    /// Counts one request of a key, or refuses it.
    ///
    /// A refused request costs nothing. It allocates only for a key it does not remember.
    ///
    /// # Errors
    ///
    /// [`Limited`] when the key has used up its quota.
    pub fn check(&self, key: &K) -> Result<Allowed, Limited> {
        let shared = &*self.shared;
        let decision = shared.decide(key);
        let policy = Arc::clone(&shared.policy);
        match decision {
            Decision::Allowed { ahead, .. } => {
                if let Some(metrics) = &shared.metrics {
                    metrics.allowed.inc();
                }
                Ok(Allowed::new(policy, ahead))
            }
            Decision::Limited { ahead } => {
                if let Some(metrics) = &shared.metrics {
                    metrics.limited.inc();
                }
                Err(Limited::new(policy, ahead))
            }
        }
    }
}

impl<K: Clone + Eq + Hash> Shared<K> {
    fn decide(&self, key: &K) -> Decision {
        let gcra = self.policy.gcra();
        let elapsed = clock::now().saturating_duration_since(self.epoch);
        let now = gcra.at(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        let hash = self.hasher.hash_one(key);
        let mut shard = self.lock(self.home(hash));
        if let Some(arrival) = shard.arrival_mut(hash, key) {
            let decision = gcra.decide(*arrival, now);
            if let Decision::Allowed { arrival: next, .. } = decision {
                *arrival = next;
            }
            return decision;
        }
        self.first_sight(shard, hash, key, now)
    }

    /// Remembers a key, in the place of another if there is no room.
    ///
    /// An idle key goes first, wherever it is: forgetting it changes nothing. Only when every shard was seen
    /// without one does a key of the same shard go that still owes time, the one that owes least.
    #[cold]
    fn first_sight<'a>(
        &'a self,
        mut shard: MutexGuard<'a, Shard<K>>,
        hash: u64,
        key: &K,
        now: u128,
    ) -> Decision {
        let is_idle = |arrival: u128| arrival <= now;
        if !self.take_place() && !shard.forget_earliest(is_idle) {
            // One lock at a time, so that two threads never wait for each other.
            drop(shard);
            let home = self.home(hash);
            let others = || (1..self.shards.len()).map(|step| (home + step) % self.shards.len());
            let found = others().any(|other| self.lock(other).forget_earliest(is_idle));
            if !found {
                let forget = |place| self.lock(place).forget_earliest(|_| true);
                if std::iter::once(home).chain(others()).any(forget) {
                    if let Some(metrics) = &self.metrics {
                        metrics.forgotten.inc();
                    }
                } else {
                    // Every key is just being moved by another thread: go above the bound by one.
                    self.keys.fetch_add(1, Ordering::Relaxed);
                }
            }
            shard = self.lock(home);
        }
        let gcra = self.policy.gcra();
        if let Some(arrival) = shard.arrival_mut(hash, key) {
            // Another thread was faster while the shard was unlocked; the place is not needed.
            self.keys.fetch_sub(1, Ordering::Relaxed);
            let decision = gcra.decide(*arrival, now);
            if let Decision::Allowed { arrival: next, .. } = decision {
                *arrival = next;
            }
            return decision;
        }
        let decision = gcra.decide(0, now);
        if let Decision::Allowed { arrival, .. } = decision {
            shard.insert(hash, key.clone(), arrival);
        }
        decision
    }

    fn take_place(&self) -> bool {
        self.keys
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |keys| {
                (keys < self.max_keys).then_some(keys + 1)
            })
            .is_ok()
    }

    fn home(&self, hash: u64) -> usize {
        // Not the bits by which the table inside chooses: those are the lowest and the highest.
        let bits = (hash >> 32) as usize;
        bits & (self.shards.len() - 1)
    }

    fn lock(&self, place: usize) -> MutexGuard<'_, Shard<K>> {
        // A key's `Eq` or `Clone` may panic, but never in the middle of a change.
        self.shards[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Clone for RateLimiter<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("name", &self.name())
            .field("quota", self.quota())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

/// More shards than this gain nothing on machines of up to some 64 cores.
const SHARDS_MAX: usize = 64;
/// Below it a shard of its own costs more memory than it saves waiting.
const KEYS_PER_SHARD_MIN: usize = 256;
