//! Maglev's table.

mod fill;
#[cfg(test)]
mod tests;

use self::fill::{Turns, fill};
use super::{hash, keyed::keyed};

/// A table of 65 537 slots in which each instance has as many as its weight says (Eisenbud et al., "Maglev", NSDI
/// 2016): a pick is one read. The tables are Envoy's, bit for bit.
///
/// Shares are even to one slot in the number of slots of an instance. One of 100 instances that leaves moves 1.6 %
/// of the keys, where 1 % had to move. A table takes 256 KB and about 2 ms to build. From 5 001 instances on it has
/// 655 373 slots, which take 2.5 MB and about 30 ms; crossing that line moves all keys. So many are better cut down
/// by a [`Subset`](super::Subset).
///
/// ```
/// use msf_registry::balance::{Maglev, hash};
///
/// let table = Maglev::new([("10.0.0.1:80", 1), ("10.0.0.2:80", 1)]);
/// let place = table.place(hash::of(b"user-17"));
/// assert_eq!(place, table.place(hash::of(b"user-17")));
/// let other = table.find(hash::of(b"user-17"), |other| Some(other) != place);
/// assert!(other.is_some() && other != place);
/// ```
#[derive(Clone, Debug)]
pub struct Maglev {
    slots: Box<[u32]>,
    hosts: usize,
}

impl Maglev {
    /// A table of these instances, each a key and a weight. Depends on the keys and weights and not on their order.
    #[must_use]
    pub fn new<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>) -> Self {
        let hosts: Vec<_> = hosts.into_iter().collect();
        let slots = match hosts.len() {
            0..=5_000 => SLOTS,
            _ => 655_373,
        };
        Self::sized(hosts, slots)
    }

    /// `slots` is a prime.
    fn sized<'k>(hosts: impl IntoIterator<Item = (&'k str, u16)>, slots: u32) -> Self {
        let hosts = keyed(hosts);
        let heaviest = hosts.iter().map(|host| host.weight).max().unwrap_or(1);
        let turns = hosts.iter().map(|host| {
            let key = host.key.as_bytes();
            let offset = hash::of(key) % u64::from(slots);
            let skip = hash::seeded(key, 1) % u64::from(slots - 1) + 1;
            let below = "a remainder is below the number of slots";
            Turns::new(
                u32::try_from(offset).expect(below),
                u32::try_from(skip).expect(below),
                (host.weight, heaviest),
            )
        });
        let mut table = fill(turns.collect(), slots);
        for slot in &mut table {
            *slot = hosts[*slot as usize].place;
        }
        Self {
            slots: table,
            hosts: hosts.len(),
        }
    }

    /// The place of the instance that a key belongs to; `None` if there is no instance.
    #[must_use]
    #[inline]
    pub fn place(&self, hash: u64) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        Some(self.slots[self.slot(hash)] as usize)
    }

    /// The place of the first instance that is allowed, from the one that the key belongs to on; `None` if none is.
    ///
    /// For a call that was refused, an instance that is ejected and one that has its share of the load already.
    pub fn find(&self, hash: u64, mut is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let first = self.slot(hash);
        let len = self.slots.len();
        (0..len.min(WALK))
            .map(|n| self.slots[(first + n) % len] as usize)
            .find(|place| is_allowed(*place))
            .or_else(|| super::scan(hash, self.hosts, is_allowed))
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder is below the length of the table"
    )]
    fn slot(&self, hash: u64) -> usize {
        // By a constant it is a multiplication.
        if self.slots.len() == SLOTS as usize {
            (hash % u64::from(SLOTS)) as usize
        } else {
            (hash % self.slots.len() as u64) as usize
        }
    }
}

/// A prime, as each table's length must be: then each skip meets each slot.
const SLOTS: u32 = 65_537;
/// How many slots are looked at for another instance before all instances are.
const WALK: usize = 1_024;
