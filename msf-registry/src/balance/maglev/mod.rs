//! Maglev's table.

#[cfg(test)]
mod tests;

use super::hash;

/// A table of 65 537 slots in which each instance has as many as its weight says (Eisenbud et al., NSDI 2016): a
/// pick is one read. From 5 001 instances on it has 655 373 slots, from 50 001 on 5 000 011.
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
        let size = match hosts.len() {
            0..=5_000 => SLOTS,
            5_001..=50_000 => 655_373,
            _ => 5_000_011,
        };
        Self::sized(&hosts, size)
    }

    fn sized(hosts: &[(&str, u16)], size: usize) -> Self {
        let slots = (0..size as u64).map(|slot| {
            let mixed = hash::seeded(&slot.to_le_bytes(), 0);
            u32::try_from(mixed % hosts.len() as u64).unwrap_or(0)
        });
        Self {
            slots: if hosts.is_empty() {
                Box::default()
            } else {
                slots.collect()
            },
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
        if self.slots.len() == SLOTS {
            (hash % SLOTS as u64) as usize
        } else {
            (hash % self.slots.len() as u64) as usize
        }
    }
}

const SLOTS: usize = 65_537;
/// How many slots are looked at for another instance before all instances are.
const WALK: usize = 1_024;
