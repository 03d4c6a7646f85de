//! Some of the keys, behind one lock: which circuit is whose, and which may be forgotten.

use std::sync::Arc;

use hashbrown::HashTable;

use super::super::shared::Shared;

pub(super) struct Shard<K> {
    entries: HashTable<Entry<K>>,
    /// When idle keys were last looked for.
    swept: u64,
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
        Arc::strong_count(&self.shared) == 1 && slot.circuit.is_resting(slot.coarse())
    }
}

impl<K: Eq + Clone> Shard<K> {
    pub(super) const fn new() -> Self {
        Self {
            entries: HashTable::new(),
            swept: 0,
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
        if is_full || now.saturating_sub(self.swept) >= idle_ns / 4 {
            self.swept = now;
            self.forget_idle(idle_ns, now);
        }
        self.entries.len() < room || self.forget_oldest()
    }

    pub(super) fn forget_idle(&mut self, idle_ns: u64, now: u64) {
        self.entries
            .retain(|entry| now.saturating_sub(entry.used) < idle_ns || !entry.is_resting());
    }

    /// Forgets the resting key that was used the longest ago.
    fn forget_oldest(&mut self) -> bool {
        let resting = self.entries.iter().filter(|entry| entry.is_resting());
        let Some((hash, used)) = resting
            .min_by_key(|entry| entry.used)
            .map(|entry| (entry.hash, entry.used))
        else {
            return false;
        };
        let oldest =
            |entry: &Entry<K>| entry.hash == hash && entry.used == used && entry.is_resting();
        self.entries
            .find_entry(hash, oldest)
            .map(|entry| drop(entry.remove()))
            .is_ok()
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
