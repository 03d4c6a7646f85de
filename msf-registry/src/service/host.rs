//! What is known about one instance, whichever table lists it.

use std::{net::SocketAddr, sync::Arc};

use msf_core::clock::QuickEpoch;

use crate::{
    balance::Cost,
    model::Instance,
    outlier::{self, Signal},
};

/// One instance with what calls have told about it; shared by all tables that list the instance.
///
/// What a score reads comes first, and is written some hundred times a second at most.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Host {
    pub(crate) cost: Cost,
    pub(crate) outlier: Arc<outlier::Cell>,
    pub(crate) addr: SocketAddr,
    clock: QuickEpoch,
    pub(crate) instance: Arc<Instance>,
}

impl Host {
    pub(super) fn new(instance: Arc<Instance>, clock: QuickEpoch, signal: &Signal) -> Self {
        Self {
            cost: Cost::unknown(),
            outlier: Arc::new(outlier::Cell::new(signal)),
            addr: instance.addr(),
            clock,
            instance,
        }
    }

    /// The same process, which now says something else about itself. Calls that are in flight are counted to the old
    /// description.
    pub(super) fn described_by(&self, instance: &Arc<Instance>) -> Self {
        Self {
            cost: self.cost.copied(),
            outlier: Arc::clone(&self.outlier),
            addr: self.addr,
            clock: self.clock,
            instance: Arc::clone(instance),
        }
    }

    /// The time of its estimate's clock.
    #[inline]
    pub(super) fn nanos(&self) -> u64 {
        self.clock.nanos()
    }
}

/// Milliseconds of a clock that wraps by design.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the estimate's clock wraps by design"
)]
pub(crate) const fn millis(nanos: u64) -> u32 {
    (nanos / 1_000_000) as u32
}

/// The time within which the other stripes' calls are not counted again: some 4 ms.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "ticks are only told apart")]
pub(crate) const fn tick(nanos: u64) -> u32 {
    (nanos >> 22) as u32
}
