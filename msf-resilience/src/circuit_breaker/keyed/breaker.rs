//! The circuits by key.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use msf_core::{clock::Epoch, metrics::Metrics};

use super::{
    super::{
        breaker::CircuitBreaker,
        builder::CircuitBreakerBuilder,
        error::{CircuitOpen, InvalidCircuitBreaker},
        metrics::BreakerMetrics,
        permit::Permit,
        settings::Settings,
        shared::Shared,
        state::State,
    },
    builder::KeyedCircuitBreakerBuilder,
    shard::Shard,
};
use crate::{
    policies::{self, Kind, Policy},
    stripe::Padded,
};

/// A circuit for each key, made when it is first asked for. Clones share them.
///
/// There are at most [`max_keys`](KeyedCircuitBreakerBuilder::max_keys). A key that was not used for a while is forgotten, and when there
/// is no room the eighth of them that was unused for the longest time; but only if its circuit is closed, its ramp is over and nobody has a
/// handle of it. So many keys cannot make an open circuit forgotten. Keys for which no room can be made share one
/// circuit.
///
/// ```
/// use msf_core::classify::Classification;
/// use msf_resilience::circuit_breaker::KeyedCircuitBreaker;
///
/// let hosts = KeyedCircuitBreaker::<String>::builder("hosts")
///     .each(|circuit| circuit.min_calls(1))
///     .build()?;
/// let (good, bad) = ("a:80".to_owned(), "b:80".to_owned());
/// hosts.try_acquire(&bad)?.complete(&Classification::FAILURE);
/// assert!(hosts.try_acquire(&bad).is_err());
/// assert!(hosts.try_acquire(&good).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedCircuitBreaker<K> {
    keyed: Arc<Keyed<K>>,
}

struct Keyed<K> {
    name: Arc<str>,
    settings: Mutex<Settings>,
    shards: Box<[Padded<Mutex<Shard<K>>>]>,
    room: usize,
    idle_ns: u64,
    epoch: Epoch,
    hasher: RandomState,
    /// Of the keys that there is no room for.
    rest: Arc<Shared>,
    metrics: Option<BreakerMetrics>,
}

impl<K> KeyedCircuitBreaker<K> {
    /// Begins a breaker. The name appears in logs and as a metric label, in errors with the key.
    pub fn builder(name: impl Into<Arc<str>>) -> KeyedCircuitBreakerBuilder<K> {
        KeyedCircuitBreakerBuilder::new(name.into())
    }

    /// The name it was built with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.keyed.name
    }
}

impl<K: Hash + Eq + Clone + fmt::Debug + Send + 'static> KeyedCircuitBreaker<K> {
    pub(super) fn new(
        name: Arc<str>,
        settings: Settings,
        max_keys: usize,
        idle_after: Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidCircuitBreaker> {
        let handles = metrics
            .map(|metrics| BreakerMetrics::register(metrics, &name))
            .transpose()?;
        let shards = (max_keys / KEYS_PER_SHARD).clamp(1, SHARDS_MAX);
        let keyed = Arc::new(Keyed {
            settings: Mutex::new(settings),
            shards: (0..shards)
                .map(|_| Padded(Mutex::new(Shard::new())))
                .collect(),
            room: max_keys / shards,
            idle_ns: u64::try_from(idle_after.as_nanos()).unwrap_or(u64::MAX),
            epoch: Epoch::new(),
            hasher: RandomState::new(),
            rest: Shared::new(format!("{name}[..]").into(), settings, handles.as_ref()),
            metrics: handles,
            name,
        });
        if let Some(metrics) = metrics {
            let states = BreakerMetrics::register_keys(metrics, &keyed.name)?;
            metrics.on_scrape_of(&keyed, move |keyed| {
                let circuits = keyed.circuits();
                keyed.rest.export();
                circuits.iter().for_each(|circuit| circuit.export());
                let found: Vec<_> = circuits.iter().map(|circuit| circuit.state()).collect();
                states.show_all(|state| count(&found, state));
            });
        }
        policies::register(&keyed);
        Ok(Self { keyed })
    }

    /// Asks to make one call for this key.
    ///
    /// It takes the lock of the key's shard for a look-up; a known key allocates nothing.
    ///
    /// # Errors
    ///
    /// [`CircuitOpen`] when the call must not be made.
    pub fn try_acquire(&self, key: &K) -> Result<Permit, CircuitOpen> {
        let found = self.keyed.with(key, |circuit| {
            circuit.acquire_closed().ok_or_else(|| Arc::clone(circuit))
        });
        // A change of state is told to log and watchers after the lock was left: they may ask for another key.
        found.or_else(|circuit| circuit.try_acquire())
    }

    /// A permit of no circuit, for a call without a key.
    pub(super) fn unwatched(&self) -> Permit {
        Permit::unwatched(self.keyed.rest.slot.slot())
    }

    /// The circuit of this key, to look at it or force it. It is not forgotten while the handle lives.
    #[must_use]
    pub fn breaker(&self, key: &K) -> CircuitBreaker {
        self.keyed
            .with(key, |circuit| CircuitBreaker::new(Arc::clone(circuit)))
    }

    /// How many keys have a circuit, after idle ones were forgotten.
    #[must_use]
    pub fn keys(&self) -> usize {
        let now = self.keyed.epoch.nanos();
        let shards = self.keyed.shards.iter();
        let sizes = shards.map(|shard| {
            let mut shard = lock(&shard.0);
            shard.forget_idle(self.keyed.idle_ns, now);
            shard.circuits().count()
        });
        sizes.sum()
    }

    /// Goes on with other knobs, in the circuits there are and in those to come; see [`CircuitBreaker::reconfigure`].
    ///
    /// # Errors
    ///
    /// [`InvalidCircuitBreaker`]; then nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "builders are made for this")]
    pub fn reconfigure(&self, each: CircuitBreakerBuilder) -> Result<(), InvalidCircuitBreaker> {
        let settings = each.settings()?;
        *lock(&self.keyed.settings) = settings;
        for circuit in self.keyed.circuits().iter().chain([&self.keyed.rest]) {
            let slot = &circuit.slot;
            slot.circuit.reconfigure(settings, slot.epoch.nanos());
        }
        Ok(())
    }
}

impl<K> Clone for KeyedCircuitBreaker<K> {
    fn clone(&self) -> Self {
        Self {
            keyed: Arc::clone(&self.keyed),
        }
    }
}

impl<K> fmt::Debug for KeyedCircuitBreaker<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCircuitBreaker")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl<K: Hash + Eq + Clone + fmt::Debug> Keyed<K> {
    /// Does something with the circuit of a key, under the lock: it is not forgotten meanwhile.
    fn with<T>(&self, key: &K, run: impl FnOnce(&Arc<Shared>) -> T) -> T {
        let hash = self.hasher.hash_one(key);
        let now = self.epoch.coarse_nanos();
        let mut shard = lock(&self.shards[self.index(hash)].0);
        if let Some(circuit) = shard.find(key, hash, now) {
            return run(circuit);
        }
        if !shard.make_room(self.room, self.idle_ns, now) {
            drop(shard);
            return run(&self.rest);
        }
        let circuit = self.circuit(key);
        shard.insert(key.clone(), hash, now, Arc::clone(&circuit));
        // Before the lock is left, so that a change of numbers finds it or has been seen by it.
        let result = run(&circuit);
        drop(circuit);
        result
    }

    #[cold]
    fn circuit(&self, key: &K) -> Arc<Shared> {
        let name: String = format!("{}[{key:?}]", self.name)
            .chars()
            .take(NAME_MAX)
            .collect();
        let settings = *lock(&self.settings);
        Shared::new(name.into(), settings, self.metrics.as_ref())
    }
}

impl<K> Keyed<K> {
    /// The upper bits: the table uses the lower ones.
    fn index(&self, hash: u64) -> usize {
        let high = (hash >> 48) as usize;
        high % self.shards.len()
    }
}

impl<K: Eq + Clone> Keyed<K> {
    fn circuits(&self) -> Vec<Arc<Shared>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| lock(&shard.0).circuits().cloned().collect::<Vec<_>>())
            .collect()
    }
}

impl<K: Hash + Eq + Clone + fmt::Debug + Send + 'static> Policy for Keyed<K> {
    fn snapshot(&self) -> policies::Snapshot {
        let circuits = self.circuits();
        let found: Vec<_> = circuits.iter().map(|circuit| circuit.state()).collect();
        let mut shown = policies::Snapshot::new(Kind::CircuitBreaker, &self.name);
        for (figure, state) in [
            ("keys_closed", State::Closed),
            ("keys_open", State::Open),
            ("keys_half_open", State::HalfOpen),
            ("keys_forced_open", State::ForcedOpen),
            ("keys_disabled", State::Disabled),
            ("keys_metrics_only", State::MetricsOnly),
        ] {
            shown = shown.with(figure, count(&found, state));
        }
        shown
    }

    fn is(&self, kind: Kind, name: &str) -> bool {
        kind == Kind::CircuitBreaker && *self.name == *name
    }
}

fn count(found: &[State], state: State) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 65 536 keys")]
    let count = found.iter().filter(|found| **found == state).count() as f64;
    count
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS_MAX: usize = 16;
const KEYS_PER_SHARD: usize = 64;
const NAME_MAX: usize = 256;
