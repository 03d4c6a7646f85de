//! What a pick reads: one immutable table per snapshot.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use super::{
    host::{Host, tick},
    pool::Pool,
    stripe::{self, Stripe},
};
use crate::{model::Snapshot, routing::Routable};

/// The instances of one snapshot, prepared for picking.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The instances that this process uses, in the order of their ids.
    pub(crate) seats: Box<[Seat]>,
    /// Of each seat its stripes, one seat after the other.
    pub(super) stripes: Box<[Arc<Stripe>]>,
    /// Which seats are picked from, and how often; none when nobody can be called.
    pub(crate) pools: Box<[Pool]>,
    /// Why a pick has to look at each instance that it draws; see the constants.
    pub(super) care: AtomicU8,
    /// When the last one that starts slowly has its full share.
    pub(super) slow_until: u64,
    pub(crate) is_panic: bool,
    /// Whether the registry has ever answered.
    pub(crate) is_known: bool,
}

/// An instance in a table.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) host: Arc<Host>,
    /// The mean weight over its weight: a call weighs less on an instance that can carry more.
    pub(crate) share: f32,
    pub(super) first_stripe: u32,
    pub(super) stripe_mask: u32,
    /// When it began to start slowly; [`NEVER`] if it does not.
    pub(super) joined: u64,
    pub(crate) weight: u16,
    pub(crate) routable: Routable,
    /// Whether it would be called if it were not ejected.
    pub(super) is_callable: bool,
}

impl Table {
    /// What is known before the registry has answered.
    pub(super) fn unknown(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            seats: Box::default(),
            stripes: Box::default(),
            pools: Box::default(),
            care: AtomicU8::new(0),
            slow_until: 0,
            is_panic: false,
            is_known: false,
        }
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
        let seat = &self.seats[seat];
        &self.stripes[seat.first_stripe as usize + (number & seat.stripe_mask as usize)]
    }

    #[inline]
    pub(super) fn stripes(&self, seat: usize) -> &[Arc<Stripe>] {
        let seat = &self.seats[seat];
        let first = seat.first_stripe as usize;
        &self.stripes[first..=first + seat.stripe_mask as usize]
    }

    /// Calls that have not ended, those of other cores as of some milliseconds ago.
    #[inline]
    pub(super) fn in_flight_about(&self, seat: usize, number: usize, now: u64) -> u32 {
        let own = number & self.seats[seat].stripe_mask as usize;
        stripe::in_flight(self.stripes(seat), own, tick(now))
    }

    /// Calls that have not ended.
    pub(crate) fn in_flight(&self, seat: usize) -> u32 {
        self.stripes(seat).iter().map(Stripe::own).sum()
    }
}

/// Some instance starts slowly.
pub(super) const SLOW: u8 = 1;
/// Some instance is ejected, or about to come back.
pub(super) const CLOSED: u8 = 2;
pub(super) const NEVER: u64 = u64::MAX;
