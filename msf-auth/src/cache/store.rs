//! Verified tokens by the hash of their text.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, atomic::AtomicU64},
};

use aws_lc_rs::digest::{SHA256, digest};
use msf_core::{
    clock::Epoch,
    metrics::{Metrics, MetricsError},
};
use quick_cache::{Lifecycle, OptionsBuilder, Weighter, sync::Cache};

use super::{
    ENTRY_BYTES_MAX, TokenCache,
    lease::{Instants, Lease},
    metrics::{BYTES, CacheMetrics, Eviction},
};
use crate::{keys::VerifyingKey, principal::Principal, verify::Times};

/// SHA-256 of the whole token: signatures can be rewritten, ids repeated and prefixes shared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }
}

/// All of the map's hash comes from the first bytes, which are as good as random.
impl std::hash::Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(first));
    }
}

/// A verified token, and all that has to be as it was then.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) principal: Arc<Principal>,
    pub(crate) lease: Lease,
    /// Which of the verifier's issuers.
    pub(crate) issuer: usize,
    /// The whole key and not its hash: with its id, its algorithm and its bytes.
    pub(crate) key: VerifyingKey,
    /// Whether the token names the key.
    pub(crate) names_key: bool,
    /// The generation of the key set in which the key was found last.
    pub(crate) generation: AtomicU64,
    /// The epoch of the revocations at which it was looked for last.
    pub(crate) epoch: AtomicU64,
}

pub(crate) struct Store {
    kept: Cache<TokenHash, Arc<Entry>, Weight, BuildHasherDefault<First>, Counting>,
    config: TokenCache,
    monotonic: Epoch,
    metrics: CacheMetrics,
}

impl Store {
    pub(crate) fn new(
        config: TokenCache,
        metrics: Option<&Metrics>,
    ) -> Result<Arc<Self>, MetricsError> {
        let counted = match metrics {
            Some(metrics) => CacheMetrics::new(metrics)?,
            None => CacheMetrics::noop(),
        };
        let options = OptionsBuilder::new()
            .weight_capacity(u64::try_from(config.bytes_max).unwrap_or(u64::MAX))
            .estimated_items_capacity(config.bytes_max / ENTRY_BYTES_USUAL)
            .build()
            .expect("both required options are set, and the others are the defaults");
        let store = Arc::new(Self {
            kept: Cache::with_options(
                options,
                Weight,
                BuildHasherDefault::default(),
                Counting(counted.clone()),
            ),
            config,
            monotonic: Epoch::new(),
            metrics: counted,
        });
        if let Some(metrics) = metrics {
            let bytes = BYTES.register(metrics)?.with([]);
            metrics.on_scrape_of(&store, move |store: &Self| {
                #[expect(clippy::cast_precision_loss, reason = "a gauge of bytes")]
                bytes.set(store.bytes() as f64);
            });
        }
        Ok(store)
    }

    /// What the entries may take in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.weight()
    }

    pub(crate) fn find(&self, hash: &TokenHash) -> Option<Arc<Entry>> {
        self.kept.get(hash)
    }

    pub(crate) fn keep(&self, hash: TokenHash, entry: Entry) {
        if entry.bytes() <= ENTRY_BYTES_MAX {
            // Who finds the shard taken does not wait: the token is verified once more, then.
            let _not_kept = self.kept.try_insert(hash, Arc::new(entry));
        }
    }

    pub(crate) fn drop(&self, hash: &TokenHash, eviction: Eviction) {
        if self.kept.remove(hash).is_some() {
            self.metrics.evicted(eviction);
        }
    }

    pub(crate) fn hit(&self) {
        self.metrics.hit.inc();
    }

    pub(crate) fn missed(&self) {
        self.metrics.miss.inc();
    }

    /// Both clocks; the monotonic one is at most a tick of the kernel behind.
    pub(crate) fn instants(&self, wall_s: u64) -> Instants {
        Instants {
            wall_s,
            monotonic_ns: self.monotonic.coarse_nanos(),
        }
    }

    pub(crate) fn lease(&self, principal: &Principal, times: Times, wall_s: u64) -> Lease {
        Lease::new(
            principal.times_s(),
            times,
            self.config.ttl,
            self.instants(wall_s),
        )
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        self.principal.bytes_max() + OVERHEAD_BYTES
    }
}

/// The entry itself, its hash, and its places in the map and in the queue.
const OVERHEAD_BYTES: usize = 200;
/// Claims of 300 bytes, their places, and what they would take if all were asked for.
const ENTRY_BYTES_USUAL: usize = 2_048;

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<TokenHash, Arc<Entry>> for Weight {
    fn weight(&self, _: &TokenHash, entry: &Arc<Entry>) -> u64 {
        u64::try_from(entry.bytes()).unwrap_or(u64::MAX)
    }
}

/// Counts what had to make room.
#[derive(Clone, Debug)]
struct Counting(CacheMetrics);

impl Lifecycle<TokenHash, Arc<Entry>> for Counting {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: TokenHash, _: Arc<Entry>) {
        self.0.evicted(Eviction::Size);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, first: u64) {
        self.0 = first;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("config", &self.config)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}
