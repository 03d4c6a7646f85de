//! Marks by the hash of what they are on: read without a lock, written by one at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;

/// A mark on what is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Tokens issued until then are.
    pub(super) issued_until_s: u64,
    /// Not needed after this, by the wall clock and by the monotonic one.
    pub(super) forget: Moment,
}

/// A reading of both clocks: a wall clock that jumps ahead must not make a mark forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) wall_s: u64,
    pub(super) monotonic_ns: u64,
}

/// The key is a keyed hash already, and of 64 bits: what is marked is always found; that another
/// subject is taken for it is as likely as a guess of 64 bits, and refuses one token too many.
type Shard = HashMap<u64, Mark, BuildHasherDefault<AsItIs>>;

/// As many parts, so that a mark copies a 64th of a table.
const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[ArcSwap<Shard>]>,
    len: AtomicUsize,
    len_max: usize,
}

impl Table {
    pub(super) fn new(len_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            len: AtomicUsize::new(0),
            len_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Until when tokens are taken back; hashes only when there is something to find.
    pub(super) fn find(&self, key: impl FnOnce() -> u64) -> Option<u64> {
        if self.len() == 0 {
            return None;
        }
        let key = key();
        let shard = self.shard(key).load();
        shard.get(&key).map(|mark| mark.issued_until_s)
    }

    /// Sets a mark, or widens the one that is there; `false` when there is no room.
    ///
    /// Only one may write at a time.
    pub(super) fn put(&self, key: u64, mark: Mark, now: Moment) -> bool {
        if self.len() >= self.len_max && !self.shard(key).load().contains_key(&key) {
            self.forget_past(now);
            if self.len() >= self.len_max {
                return false;
            }
        }
        self.rewrite(key, |shard| {
            shard.retain(|_, mark| !mark.is_past(now));
            let place = shard.entry(key).or_insert(mark);
            *place = place.wider(mark);
        });
        true
    }

    fn forget_past(&self, now: Moment) {
        for shard in &self.shards {
            let old = shard.load_full();
            if old.values().any(|mark| mark.is_past(now)) {
                let mut new = Shard::clone(&old);
                new.retain(|_, mark| !mark.is_past(now));
                self.swap(shard, &old, new);
            }
        }
    }

    fn rewrite(&self, key: u64, with: impl FnOnce(&mut Shard)) {
        let shard = self.shard(key);
        let old = shard.load_full();
        let mut new = Shard::clone(&old);
        with(&mut new);
        self.swap(shard, &old, new);
    }

    fn swap(&self, shard: &ArcSwap<Shard>, old: &Shard, new: Shard) {
        // Above what is there between the two steps, never below: a reader that sees 0 finds nothing.
        self.len.fetch_add(new.len(), Ordering::Relaxed);
        shard.store(Arc::new(new));
        self.len.fetch_sub(old.len(), Ordering::Relaxed);
    }

    fn shard(&self, key: u64) -> &ArcSwap<Shard> {
        // The upper bits: the map takes the lower ones.
        let index = usize::try_from(key >> 58).unwrap_or_default();
        &self.shards[index % SHARDS]
    }
}

impl Mark {
    fn wider(self, other: Self) -> Self {
        Self {
            issued_until_s: self.issued_until_s.max(other.issued_until_s),
            forget: Moment {
                wall_s: self.forget.wall_s.max(other.forget.wall_s),
                monotonic_ns: self.forget.monotonic_ns.max(other.forget.monotonic_ns),
            },
        }
    }

    fn is_past(self, now: Moment) -> bool {
        now.wall_s >= self.forget.wall_s && now.monotonic_ns >= self.forget.monotonic_ns
    }
}

/// Gives a hash back as it came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
