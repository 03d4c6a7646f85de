//! A table of a fixed size.

use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::{Entry, NOBODY, Update};
use crate::stripe::Padded;

/// Who a key is, and where it may be.
///
/// Two hashes under seeds of their own. The first stands for the key: two keys that share it share a limit,
/// which for a new key among `n` others has a probability of `n / 2^64`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) id: u64,
    pub(super) place: u64,
}

/// Buckets of entries. A key is in one of the two buckets that its address names.
#[derive(Debug)]
pub(super) struct Level {
    /// A power of two of them.
    buckets: Box<[Padded<[Entry; WAYS]>]>,
    /// The arrival times of each entry, if there are several.
    several: Box<[AtomicU64]>,
    width: usize,
}

/// An entry, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(usize);

impl Level {
    /// A table with room for twice as many keys, so that both buckets of a key are almost never full.
    pub(super) fn with_room(keys: usize, width: usize) -> Self {
        let buckets = (2 * keys).div_ceil(WAYS).next_power_of_two();
        let several = if width > 1 { buckets * WAYS * width } else { 0 };
        Self {
            buckets: (0..buckets).map(|_| Padded::default()).collect(),
            several: (0..several).map(|_| AtomicU64::new(0)).collect(),
            width,
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// Changes the one arrival time of a key.
    #[inline]
    pub(super) fn update<T>(
        &self,
        address: Address,
        change: &mut impl FnMut(&mut u64) -> T,
    ) -> Update<T> {
        for bucket in self.homes(address) {
            for entry in &self.buckets[bucket].0 {
                if entry.id() == address.id {
                    return entry.update(address.id, change);
                }
            }
        }
        Update::Gone
    }

    pub(super) fn entry(&self, index: Index) -> &Entry {
        &self.buckets[index.0 / WAYS].0[index.0 % WAYS]
    }

    /// Claims the entry of a key, if it is here and not being given to another.
    pub(super) fn claim(&self, address: Address) -> Option<(Index, u64)> {
        let found = self
            .candidates(address)
            .find(|&index| self.entry(index).id() == address.id)?;
        let entry = self.entry(found);
        loop {
            let (id, until) = entry.owner()?;
            if id != address.id {
                return None;
            }
            if entry.claim(id, until) {
                return Some((found, until));
            }
        }
    }

    /// Where a key may be, the first home first.
    pub(super) fn candidates(&self, address: Address) -> impl Iterator<Item = Index> + use<> {
        self.homes(address).flat_map(places)
    }

    /// A place for a new key: a free one, or else that of an idle key, or else of the key that owes least. With what is
    /// there now. An idle key may come back soon, so it keeps its place while there are free ones.
    ///
    /// In its first home unless that is more than half full; then in the emptier of both, so that hardly
    /// any bucket is ever full.
    pub(super) fn vacancy(&self, address: Address, now: u64) -> Option<(Index, u64, u64)> {
        let mut best: Option<(usize, Index, u64, u64)> = None;
        let mut idle: Option<(Index, u64, u64)> = None;
        let mut least: Option<(Index, u64, u64)> = None;
        for bucket in self.homes(address) {
            let mut free = 0;
            let mut first_free = None;
            for index in places(bucket) {
                let Some((id, until)) = self.entry(index).owner() else {
                    continue;
                };
                if id == NOBODY {
                    free += 1;
                    first_free.get_or_insert((index, id, until));
                } else if until <= now {
                    idle.get_or_insert((index, id, until));
                } else if least.is_none_or(|(_, _, other)| until < other) {
                    least = Some((index, id, until));
                }
            }
            if let Some((index, id, until)) = first_free
                && best.is_none_or(|(other, ..)| free > other)
            {
                best = Some((free, index, id, until));
            }
            if free >= WAYS / 2 {
                break;
            }
        }
        best.map(|(_, index, id, until)| (index, id, until))
            .or(idle)
            .or(least)
    }

    /// Every entry, from a place on and round.
    pub(super) fn from(&self, start: usize) -> impl Iterator<Item = Index> + use<> {
        let entries = self.entries();
        (0..entries).map(move |step| Index((start + step) % entries))
    }

    /// The arrival times of a claimed entry.
    pub(super) fn times(&self, index: Index, until: u64, times: &mut [u64]) {
        if self.width == 1 {
            times[0] = until;
            return;
        }
        for (time, stored) in times.iter_mut().zip(self.stored(index)) {
            *time = stored.load(Ordering::Relaxed);
        }
    }

    /// Gives a claimed entry to a key.
    pub(super) fn release(&self, index: Index, id: u64, times: &[u64]) {
        if self.width > 1 {
            for (time, stored) in times.iter().zip(self.stored(index)) {
                stored.store(*time, Ordering::Relaxed);
            }
        }
        let until = times.iter().copied().max().unwrap_or_default();
        self.entry(index).release(id, until);
    }

    /// Makes a claimed entry empty.
    pub(super) fn clear(&self, index: Index) {
        self.entry(index).vacate();
    }

    fn stored(&self, index: Index) -> &[AtomicU64] {
        &self.several[index.0 * self.width..(index.0 + 1) * self.width]
    }

    #[inline]
    fn homes(&self, address: Address) -> impl Iterator<Item = usize> + use<> {
        let mask = self.buckets.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "masked")]
        let (first, second) = (
            address.place as usize & mask,
            (address.place >> 32) as usize & mask,
        );
        std::iter::once(first).chain((second != first).then_some(second))
    }
}

fn places(bucket: usize) -> impl Iterator<Item = Index> {
    (bucket * WAYS..(bucket + 1) * WAYS).map(Index)
}

const WAYS: usize = 8;
