//! The instances among which one is picked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    host::tick,
    table::{Seat, Table},
};
use crate::{
    balance::{Balance, LoadBalancing, Maglev, Rendezvous, Ring, hash, turns},
    model::Instance,
    routing::{Group, GroupKind},
};

/// A group of the plan, prepared for the algorithm.
#[derive(Debug)]
pub(crate) struct Pool {
    /// As in [`Group`].
    pub(super) upto: u32,
    pub(crate) kind: GroupKind,
    /// The seats, in their order; never empty.
    pub(crate) members: Arc<[u32]>,
    /// The seats in the order of their turns, each as often as it weighs.
    pub(super) order: Arc<[u32]>,
    pub(super) placed: Option<Arc<Placed>>,
    /// One over the sum of the weights.
    per_weight: f32,
    /// Calls in flight in all, when they were last counted: the tick in the upper half.
    in_flight: AtomicU64,
}

/// What a hash is looked up in. Its places are places in `members`.
#[derive(Debug)]
pub(super) struct Placed {
    by: By,
    /// Of the keys and weights that it was made of: how many there were, and their hash.
    made_of: (usize, u64),
}

#[derive(Debug)]
enum By {
    Ring(Ring),
    Maglev(Maglev),
    Rendezvous(Rendezvous),
}

impl Pool {
    pub(super) fn new(
        group: Group,
        seats: &[Seat],
        instances: &[Arc<Instance>],
        rules: &LoadBalancing,
        before: &Table,
    ) -> Self {
        let weights: Vec<u16> = group
            .members
            .iter()
            .map(|m| seats[*m as usize].weight)
            .collect();
        let members: Arc<[u32]> = group.members.into();
        let turns = turns(&weights);
        let order = if turns.is_empty() {
            Arc::clone(&members)
        } else {
            turns.iter().map(|place| members[*place as usize]).collect()
        };
        Self {
            upto: group.upto,
            kind: group.kind,
            placed: Placed::of(&members, instances, rules, before),
            members,
            order,
            per_weight: weights.iter().map(|w| f32::from(*w)).sum::<f32>().recip(),
            in_flight: AtomicU64::new(u64::from(u32::MAX) << 32),
        }
    }

    /// Whose turn it is.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a round is far shorter than 2^32, and dividing 32 bits is quicker"
    )]
    pub(super) fn at_turn(&self, turn: u64) -> usize {
        self.order[(turn as u32 % self.order.len() as u32) as usize] as usize
    }

    /// The most calls that may be in flight at a seat under a bound of `factor`.
    pub(super) fn bound(&self, table: &Table, seat: usize, factor: f32, now: u64) -> u32 {
        let part = f32::from(table.seats[seat].weight) * self.per_weight;
        crate::balance::bound(factor, u64::from(self.in_flight(table, now)), part)
    }

    /// Calls in flight at all members, as of some milliseconds ago.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are taken apart"
    )]
    fn in_flight(&self, table: &Table, now: u64) -> u32 {
        // Counting thousands takes microseconds, so it is done the more rarely the more there are.
        let tick = tick(now) >> (self.members.len() / 1_024).max(1).ilog2();
        let seen = self.in_flight.load(Ordering::Relaxed);
        if (seen >> 32) as u32 == tick {
            return seen as u32;
        }
        let count = self
            .members
            .iter()
            .map(|m| table.in_flight(*m as usize))
            .sum::<u32>();
        let seen = (u64::from(tick) << 32) | u64::from(count);
        self.in_flight.store(seen, Ordering::Relaxed);
        count
    }
}

impl Placed {
    fn of(
        members: &[u32],
        instances: &[Arc<Instance>],
        rules: &LoadBalancing,
        before: &Table,
    ) -> Option<Arc<Self>> {
        if !rules.balance.is_hashing() {
            return None;
        }
        let hosts: Vec<_> = members
            .iter()
            .map(|member| {
                let instance = &instances[*member as usize];
                (hash::key_of(instance), instance.weight.get())
            })
            .collect();
        let hashed = hosts.iter().fold(0, |hashed, (key, weight)| {
            hash::seeded(key.as_bytes(), hash::seeded(&weight.to_le_bytes(), hashed))
        });
        // Registrants choose their keys, and could make two hashes meet: then places must still be places in `members`.
        let made_of = (hosts.len(), hashed);
        // A table of another health or zone is often of the same instances, and this part takes milliseconds.
        let mut placed = before.pools.iter().filter_map(|pool| pool.placed.as_ref());
        if let Some(same) = placed.find(|placed| placed.made_of == made_of) {
            return Some(Arc::clone(same));
        }
        let hosts = hosts.iter().map(|(key, weight)| (&**key, *weight));
        let by = match rules.balance {
            Balance::RingHash => By::Ring(Ring::new(hosts, rules.ring)),
            Balance::Rendezvous => By::Rendezvous(Rendezvous::new(hosts)),
            _ => By::Maglev(Maglev::new(hosts)),
        };
        Some(Arc::new(Self { by, made_of }))
    }

    #[inline]
    pub(super) fn place(&self, hash: u64) -> Option<usize> {
        match &self.by {
            By::Ring(ring) => ring.place(hash),
            By::Maglev(maglev) => maglev.place(hash),
            By::Rendezvous(rendezvous) => rendezvous.place(hash),
        }
    }

    pub(super) fn find(&self, hash: u64, is_allowed: impl FnMut(usize) -> bool) -> Option<usize> {
        match &self.by {
            By::Ring(ring) => ring.find(hash, is_allowed),
            By::Maglev(maglev) => maglev.find(hash, is_allowed),
            By::Rendezvous(rendezvous) => rendezvous.find(hash, is_allowed),
        }
    }
}
