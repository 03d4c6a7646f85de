//! What a pick reads: one immutable table per snapshot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use super::{
    host::{Host, tick},
    outcome::Outcome,
    pool::Pool,
    stripe::{self, Stripe},
};
use crate::{
    balance::LoadBalancing,
    model::{Instance, Snapshot},
    outlier::Observed,
    routing::{Ejection, Routable},
};

/// The instances of one snapshot, prepared for picking.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The instances that this process uses, in the order of their ids.
    pub(crate) seats: Box<[Seat]>,
    /// What the instance at each seat says about itself.
    pub(crate) instances: Box<[Arc<Instance>]>,
    /// When the instance at each seat began to start slowly; [`NEVER`] if it does not.
    pub(super) joined: Box<[u64]>,
    /// Of each seat its stripes, one seat after the other, 2^`stripe_bits` of each.
    pub(super) stripes: Box<[Arc<Stripe>]>,
    pub(super) stripe_bits: u32,
    /// Which seats are picked from, and how often; none when nobody can be called.
    pub(crate) pools: Box<[Pool]>,
    /// Why a pick has to look at each instance that it draws; see the constants.
    pub(super) care: AtomicU8,
    /// When the last one that starts slowly has its full share.
    pub(super) slow_until: u64,
    /// When the first of those that are picked from began to start slowly; [`NEVER`] if one of them does not.
    pub(super) eldest: u64,
    /// Whether every pick counts as [`Outcome::Ok`].
    pub(super) is_plain: bool,
    /// Whether the registry has ever answered.
    pub(crate) is_known: bool,
}

/// An instance in a table: as small as can be, for a draw from thousands waits for memory.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) host: Arc<Host>,
    /// The mean weight over its weight: a call weighs less on an instance that can carry more.
    pub(crate) share: f32,
    pub(crate) weight: u16,
    pub(crate) routable: Routable,
    /// Whether it would be called if it were not ejected.
    pub(super) is_callable: bool,
    /// Whether one call is finding out whether it works again.
    pub(super) is_proving: bool,
    /// What a pick of it counts as.
    pub(super) outcome: Outcome,
}

impl Table {
    /// What is known before the registry has answered.
    pub(super) fn unknown(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            seats: Box::default(),
            instances: Box::default(),
            joined: Box::default(),
            stripes: Box::default(),
            stripe_bits: 0,
            pools: Box::default(),
            care: AtomicU8::new(0),
            slow_until: 0,
            eldest: NEVER,
            is_plain: true,
            is_known: false,
        }
    }

    /// What is known of each listed instance; of those that this process does not call, calls say nothing.
    pub(super) fn observed(&self) -> Vec<Observed> {
        // Both are in the order of the ids.
        let mut seats = self.instances.iter().zip(&self.seats).peekable();
        let members = self.snapshot.instances().iter();
        let observed = members.map(|member| {
            let id = &member.instance.id;
            while seats.next_if(|(instance, _)| instance.id < *id).is_some() {}
            let seat = seats.next_if(|(instance, _)| instance.id == *id);
            let outlier = seat.map(|(_, seat)| &seat.host.outlier);
            Observed {
                id: id.clone(),
                health: member.health,
                failures_in_a_row: outlier.map_or(0, |cell| cell.failures_in_a_row()),
                is_ejected: outlier.is_some_and(|cell| cell.ejection() != Ejection::None),
            }
        });
        observed.collect()
    }

    /// Whether every instance of every pool may be picked as it is.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.care.load(Ordering::Relaxed) == 0
    }

    pub(super) fn has_slow(&self) -> bool {
        self.care.load(Ordering::Relaxed) & SLOW != 0
    }

    /// Lets picks look at ejections if there is one where they pick from. After it was stored, so that none is missed.
    pub(super) fn heed_ejections(&self) {
        let is_closed = |seat: &u32| !self.seats[*seat as usize].host.outlier.is_open();
        if self
            .pools
            .iter()
            .any(|pool| pool.members.iter().any(is_closed))
        {
            self.care.fetch_or(CLOSED, Ordering::Relaxed);
        }
    }

    /// The part of its full share that the instance at a seat gets. Where all start slowly, the one that has started
    /// first gets all of its share: somebody has to be called.
    pub(super) fn share(&self, seat: usize, rules: &LoadBalancing, now: u64) -> f32 {
        let (joined, Some(slow_start)) = (self.joined[seat], &rules.slow_start) else {
            return 1.0;
        };
        if joined == NEVER || !self.has_slow() {
            return 1.0;
        }
        let factor =
            |since| slow_start.factor(Duration::from_nanos(u64::saturating_sub(now, since)));
        let most = if self.eldest == NEVER {
            1.0
        } else {
            factor(self.eldest)
        };
        (factor(joined) / most).min(1.0)
    }

    /// Notes that nobody starts slowly any more.
    pub(super) fn all_started(&self) {
        self.care.fetch_and(!SLOW, Ordering::Relaxed);
    }

    /// The pool that 32 random bits draw; they are not asked for when there is one.
    #[inline]
    pub(super) fn pool(&self, bits: impl FnOnce() -> u32) -> Option<usize> {
        match &*self.pools {
            [] => None,
            [_] => Some(0),
            pools => {
                let bits = bits();
                pools.iter().position(|pool| bits <= pool.upto)
            }
        }
    }

    /// Where the threads of this number count their calls to the instance at a seat.
    #[inline]
    pub(super) fn stripe(&self, seat: usize, number: usize) -> &Arc<Stripe> {
        &self.stripes[(seat << self.stripe_bits) + self.own(number)]
    }

    #[inline]
    fn own(&self, number: usize) -> usize {
        number & ((1 << self.stripe_bits) - 1)
    }

    #[inline]
    pub(crate) fn stripes(&self, seat: usize) -> &[Arc<Stripe>] {
        let first = seat << self.stripe_bits;
        &self.stripes[first..first + (1 << self.stripe_bits)]
    }

    /// Calls that have not ended, those of other cores as of some milliseconds ago.
    #[inline]
    pub(super) fn in_flight_about(&self, seat: usize, number: usize, now: u64) -> u32 {
        stripe::in_flight(self.stripes(seat), self.own(number), tick(now))
    }

    /// Calls that have not ended.
    pub(crate) fn in_flight(&self, seat: usize) -> u32 {
        let stripes = self.stripes(seat).iter();
        stripes.map(|stripe| stripe.own() + stripe.earlier()).sum()
    }

    /// Calls that succeeded; wraps.
    pub(crate) fn successes(&self, seat: usize) -> u32 {
        let stripes = self.stripes(seat).iter();
        stripes.fold(0, |sum, stripe| sum.wrapping_add(stripe.successes.seen()))
    }
}

/// Some instance starts slowly.
pub(super) const SLOW: u8 = 1;
/// Some instance is ejected, or about to come back.
pub(super) const CLOSED: u8 = 2;
pub(super) const NEVER: u64 = u64::MAX;
