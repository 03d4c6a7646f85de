//! Some of the keys, behind one lock: which circuit is whose, and which may be forgotten.

use std::sync::Arc;

use hashbrown::HashTable;

use super::super::shared::Shared;

pub(super) struct Shard<K> {
    entries: HashTable<Entry<K>>,
    /// When idle keys were last looked for.
    swept: u64,
    /// Until when nobody looks for room again, after there was none.
    full_until: u64,
}

struct Entry<K> {
    key: K,
    hash: u64,
    used: u64,
    shared: Arc<Shared>,
}

impl<K> Entry<K> {
    /// Whether nothing is lost with it but the counts of a healthy circuit: closed, and nobody has a handle.
    fn is_resting(&self) -> bool {
        let slot = &self.shared.slot;
        Arc::strong_count(&self.shared) == 1 && slot.circuit.is_resting(|| slot.coarse())
    }
}

impl<K: Eq + Clone> Shard<K> {
    pub(super) const fn new() -> Self {
        Self {
            entries: HashTable::new(),
            swept: 0,
            full_until: 0,
        }
    }

    /// The circuit of a key, used now.
    pub(super) fn find(&mut self, key: &K, hash: u64, now: u64) -> Option<&Arc<Shared>> {
        let entry = self.entries.find_mut(hash, |entry| entry.key == *key)?;
        entry.used = now;
        Some(&entry.shared)
    }

    /// Makes room for one more key, if it can; forgets idle ones on the way.
    pub(super) fn make_room(&mut self, room: usize, idle_ns: u64, now: u64) -> bool {
        let is_full = self.entries.len() >= room;
        if is_full && now < self.full_until {
            return false;
        }
        if is_full || now.saturating_sub(self.swept) >= idle_ns / 4 {
            self.swept = now;
            self.forget_idle(idle_ns, now);
        }
        let has_room = self.entries.len() < room || self.forget_oldest();
        if !has_room {
            self.full_until = now.saturating_add(LOOK_AGAIN_NS);
        }
        has_room
    }

    pub(super) fn forget_idle(&mut self, idle_ns: u64, now: u64) {
        self.entries
            .retain(|entry| now.saturating_sub(entry.used) < idle_ns || !entry.is_resting());
    }

    /// Forgets the eighth of the resting keys that was used the longest ago: one at a time would be a look at all of them
    /// for every new key of a flood.
    fn forget_oldest(&mut self) -> bool {
        let resting = self.entries.iter().filter(|entry| entry.is_resting());
        let mut used: Vec<_> = resting.map(|entry| entry.used).collect();
        if used.is_empty() {
            return false;
        }
        let at = used.len() / 8;
        let (older, last, _) = used.select_nth_unstable(at);
        let last = *last;
        // Of those used at one time, no more than it takes.
        let mut ties = 1 + older.iter().filter(|used| **used == last).count();
        self.entries.retain(|entry| {
            let is_old = entry.used < last || (entry.used == last && ties > 0);
            let is_kept = !is_old || !entry.is_resting();
            if !is_kept && entry.used == last {
                ties -= 1;
            }
            is_kept
        });
        true
    }

    pub(super) fn insert(&mut self, key: K, hash: u64, now: u64, shared: Arc<Shared>) {
        let entry = Entry {
            key,
            hash,
            used: now,
            shared,
        };
        self.entries.insert_unique(hash, entry, |entry| entry.hash);
    }

    pub(super) fn circuits(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.entries.iter().map(|entry| &entry.shared)
    }
}

/// For how long keys are sent to the shared circuit without another look at all of a shard.
const LOOK_AGAIN_NS: u64 = 100_000_000;
