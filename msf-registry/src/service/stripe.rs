//! What one core writes when it picks an instance.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use super::host::Host;
use crate::{model::Instance, outlier::Successes};

/// One instance as the threads of one core use it, so that cores do not wait for each other's writes.
///
/// Its reference count is the count of calls in flight that were picked here: besides the table only a
/// [`Picked`](super::Picked) holds it, on whichever thread that ends up. A count of our own would cost two more
/// atomic operations per call, and could leak. While one table replaces another both hold it, so for a moment every
/// instance seems to have one call more: all alike.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Stripe {
    /// Calls in flight on the other stripes, when it was last looked: the tick in the upper half, the count in the
    /// lower.
    others: AtomicU64,
    pub(crate) host: Arc<Host>,
    pub(crate) successes: Successes,
    pub(crate) instance: Arc<Instance>,
    earlier: Option<Box<Earlier>>,
    /// The hot part of the next allocation is then on another cache line, and its owner another core.
    _apart: [u64; 8],
}

/// The stripes of an instance under the descriptions that it had before, if calls were in flight there: an instance that
/// changes its metadata has not become idle by it.
#[derive(Debug)]
struct Earlier(Box<[Weak<Stripe>]>);

impl Stripe {
    pub(super) fn new(
        host: &Arc<Host>,
        instance: &Arc<Instance>,
        successes: Successes,
        before: &[Arc<Self>],
    ) -> Arc<Self> {
        Arc::new(Self {
            // A tick of long ago, as good as never.
            others: AtomicU64::new(u64::from(u32::MAX) << 32),
            host: Arc::clone(host),
            successes,
            instance: Arc::clone(instance),
            earlier: Earlier::of(before),
            _apart: [0; 8],
        })
    }

    /// Calls picked under an earlier description that have not ended.
    pub(crate) fn earlier(&self) -> u32 {
        let stripes = self.earlier.iter().flat_map(|earlier| &earlier.0);
        stripes.fold(0, |sum, stripe| sum.saturating_add(in_all(stripe)))
    }

    /// Calls picked here that have not ended.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "so many calls do not fit into memory"
    )]
    pub(crate) fn own(self: &Arc<Self>) -> u32 {
        Arc::strong_count(self).saturating_sub(1) as u32
    }
}

impl Earlier {
    fn of(before: &[Arc<Stripe>]) -> Option<Box<Self>> {
        let mut earlier: Vec<Weak<Stripe>> = Vec::new();
        for stripe in before {
            let still = stripe.earlier.iter().flat_map(|earlier| &earlier.0);
            earlier.extend(still.filter(|stripe| in_all(stripe) > 0).cloned());
            if stripe.own() > 0 {
                earlier.push(Arc::downgrade(stripe));
            }
        }
        (!earlier.is_empty()).then(|| Box::new(Self(earlier.into())))
    }
}

/// Calls picked at a stripe that no table has any more.
fn in_all(stripe: &Weak<Stripe>) -> u32 {
    u32::try_from(stripe.strong_count()).unwrap_or(u32::MAX)
}

/// Calls in flight on all stripes of an instance, the own one's being exact and the others' as of this tick.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves are taken apart"
)]
pub(super) fn in_flight(stripes: &[Arc<Stripe>], own: usize, tick: u32) -> u32 {
    let stripe = &stripes[own];
    if stripes.len() == 1 && stripe.earlier.is_none() {
        return stripe.own();
    }
    let seen = stripe.others.load(Ordering::Relaxed);
    let others = if (seen >> 32) as u32 == tick {
        seen as u32
    } else {
        look(stripes, own, tick)
    };
    stripe.own().saturating_add(others)
}

/// Reads lines that other cores write to, so once per tick.
#[cold]
fn look(stripes: &[Arc<Stripe>], own: usize, tick: u32) -> u32 {
    let others = stripes.iter().enumerate().filter(|(n, _)| *n != own);
    let count = others.fold(0_u32, |sum, (_, stripe)| sum.saturating_add(stripe.own()));
    let earlier = stripes.iter().map(|stripe| stripe.earlier());
    let count = earlier.fold(count, u32::saturating_add);
    let seen = (u64::from(tick) << 32) | u64::from(count);
    stripes[own].others.store(seen, Ordering::Relaxed);
    count
}
