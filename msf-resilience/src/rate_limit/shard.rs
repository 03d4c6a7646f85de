//! A part of the keys, with the order in which they may be forgotten.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use hashbrown::HashTable;

/// Keys and their arrival times (see [`Gcra`](super::quota::Gcra)).
#[derive(Debug)]
pub(super) struct Shard<K> {
    /// Places in `slots`.
    table: HashTable<u32>,
    slots: Vec<Slot<K>>,
    /// Places in `slots` whose key was forgotten.
    vacant: Vec<u32>,
    /// One entry per key: its place under an arrival time that may be out of date, which is then too early.
    ///
    /// Arrival times only grow, so the earliest entry that is up to date is the earliest of all; who looks
    /// for it brings those before it up to date. That costs each check at most one correction later, where
    /// a heap in order would cost every check one now.
    by_arrival: BinaryHeap<Reverse<(u128, u32)>>,
}

#[derive(Debug)]
struct Slot<K> {
    key: Option<K>,
    hash: u64,
    arrival: u128,
}

impl<K> Shard<K> {
    pub(super) const fn new() -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            by_arrival: BinaryHeap::new(),
        }
    }

    /// Forgets the key with the earliest arrival time, if `may_go` lets it.
    pub(super) fn forget_earliest(&mut self, may_go: impl Fn(u128) -> bool) -> bool {
        while let Some(mut top) = self.by_arrival.peek_mut() {
            let Reverse((listed, place)) = *top;
            let slot = &mut self.slots[place as usize];
            if slot.arrival != listed {
                *top = Reverse((slot.arrival, place));
                continue;
            }
            if !may_go(listed) {
                return false;
            }
            PeekMut::pop(top);
            slot.key = None;
            if let Ok(entry) = self.table.find_entry(slot.hash, |&other| other == place) {
                entry.remove();
            }
            self.vacant.push(place);
            return true;
        }
        false
    }
}

impl<K: Eq> Shard<K> {
    /// The arrival time of a key, to be read and moved on.
    pub(super) fn arrival_mut(&mut self, hash: u64, key: &K) -> Option<&mut u128> {
        let slots = &self.slots;
        let is_key = |&place: &u32| slots[place as usize].key.as_ref() == Some(key);
        let place = *self.table.find(hash, is_key)?;
        Some(&mut self.slots[place as usize].arrival)
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&mut self, hash: u64, key: K, arrival: u128) {
        let slot = Slot {
            key: Some(key),
            hash,
            arrival,
        };
        let place = if let Some(place) = self.vacant.pop() {
            self.slots[place as usize] = slot;
            place
        } else {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).expect("max_keys is checked to fit into 24 bits")
        };
        let slots = &self.slots;
        self.table
            .insert_unique(hash, place, |&other| slots[other as usize].hash);
        self.by_arrival.push(Reverse((arrival, place)));
    }
}
