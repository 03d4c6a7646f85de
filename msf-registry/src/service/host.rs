//! What is known about one instance, whichever table lists it.

use std::net::SocketAddr;

use msf_core::clock::QuickEpoch;

use crate::{
    balance::Cost,
    outlier::{self, Signal},
};

/// One instance with what calls have told about it; shared by all tables that list the instance at this address,
/// whatever it says about itself.
///
/// What a call reads comes first, and is written some hundred times a second at most.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Host {
    pub(crate) cost: Cost,
    clock: QuickEpoch,
    pub(crate) outlier: outlier::Cell,
    pub(crate) addr: SocketAddr,
}

impl Host {
    pub(super) fn new(addr: SocketAddr, clock: QuickEpoch, signal: &Signal) -> Self {
        Self {
            cost: Cost::unknown(),
            clock,
            outlier: outlier::Cell::new(signal),
            addr,
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
