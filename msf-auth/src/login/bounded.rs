//! A map of bounded size that gives up what matters least.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

/// Values by a key. When it is full, the least value goes for a new one, so order values by how much they matter.
#[derive(Debug)]
pub(super) struct Bounded<V> {
    entries_max: usize,
    values: HashMap<u64, V>,
    order: BTreeSet<(V, u64)>,
}

impl<V: Copy + Ord> Bounded<V> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            entries_max,
            values: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, key: u64) -> Option<V> {
        self.values.get(&key).copied()
    }

    pub(super) fn is_full(&self) -> bool {
        self.values.len() >= self.entries_max
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.values.len(), self.order.len());
        self.values.len()
    }

    pub(super) fn insert(&mut self, key: u64, value: V) {
        if !self.values.contains_key(&key) && self.is_full() {
            // Before the new one is in, which may be the least of all.
            if let Some((_, least)) = self.order.pop_first() {
                self.values.remove(&least);
            }
        }
        if let Some(old) = self.values.insert(key, value) {
            self.order.remove(&(old, key));
        }
        self.order.insert((value, key));
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Entry::Occupied(entry) = self.values.entry(key) {
            self.order.remove(&(entry.remove(), key));
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(V) -> bool) {
        let order = &mut self.order;
        self.values.retain(|key, value| {
            let is_kept = keep(*value);
            if !is_kept {
                order.remove(&(*value, *key));
            }
            is_kept
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nothing that is kept matters less than what was given up before it came.
        #[test]
        fn what_goes_is_the_least(steps in prop::collection::vec((0u64..12, 0u8..6), 1..80)) {
            let mut bounded = Bounded::new(4);
            let mut naive: Vec<(u64, u8)> = Vec::new();
            for (key, value) in steps {
                bounded.insert(key, value);
                match naive.iter_mut().find(|(own, _)| *own == key) {
                    Some(entry) => entry.1 = value,
                    None => {
                        if naive.len() == 4 {
                            let least = naive.iter().map(|(key, value)| (*value, *key)).min();
                            naive.retain(|(key, value)| Some((*value, *key)) != least);
                        }
                        naive.push((key, value));
                    }
                }
                prop_assert_eq!(bounded.len(), naive.len());
                for (key, value) in &naive {
                    prop_assert_eq!(bounded.get(*key), Some(*value));
                }
            }
            bounded.retain(|value| value > 2);
            naive.retain(|(_, value)| *value > 2);
            prop_assert_eq!(bounded.len(), naive.len());
            for (key, _) in naive {
                bounded.remove(key);
            }
            prop_assert_eq!(bounded.len(), 0);
        }
    }
}
