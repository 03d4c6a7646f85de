//! Calls in flight and additional calls in flight.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::rule::PARTS;
use crate::{
    slot::{Pool, Recycle},
    stripe::{self, Padded, STRIPES},
};

pub(super) static POOL: Pool<InFlight> = Pool::new();

/// A slot that calls point to until they end. It has its next owner only when nothing is in flight any more.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Begun minus ended, by stripes: a call may begin on one and end on another, so only the sum means something.
    calls: [Padded<AtomicU64>; STRIPES],
    additional: Padded<AtomicU64>,
    /// Ten-thousandths of an additional call per call.
    ratio: AtomicU64,
    min: AtomicU64,
    is_retired: AtomicBool,
}

impl InFlight {
    pub(super) fn set(&self, ratio: u64, min: u64) {
        self.ratio.store(ratio, Ordering::Relaxed);
        self.min.store(min, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn begin(&self) {
        self.calls[stripe::own()].0.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn end(&'static self) {
        // In the one order of these operations, either `retire` sees this call gone or this call sees the retirement.
        self.calls[stripe::own()].0.fetch_sub(1, Ordering::SeqCst);
        self.recycle_if_last();
    }

    pub(super) fn begin_additional(&self) -> bool {
        let mut seen = self.additional.0.load(Ordering::Relaxed);
        loop {
            if seen >= self.allowed() {
                return false;
            }
            match self.additional.0.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    pub(super) fn end_additional(&'static self) {
        self.additional.0.fetch_sub(1, Ordering::SeqCst);
        self.recycle_if_last();
    }

    pub(super) fn calls(&self) -> u64 {
        let sum = self.calls.iter().fold(0_u64, |sum, stripe| {
            sum.wrapping_add(stripe.0.load(Ordering::SeqCst))
        });
        // A call that moves between stripes while they are read may be missed: then the sum is "below zero".
        if sum.cast_signed() < 0 { 0 } else { sum }
    }

    pub(super) fn additional(&self) -> u64 {
        self.additional.0.load(Ordering::SeqCst)
    }

    pub(super) fn available(&self) -> u64 {
        self.allowed().saturating_sub(self.additional())
    }

    fn allowed(&self) -> u64 {
        let ratio = self.ratio.load(Ordering::Relaxed);
        let share = self.calls().saturating_mul(ratio) / PARTS;
        share.max(self.min.load(Ordering::Relaxed))
    }

    #[inline]
    fn recycle_if_last(&'static self) {
        if self.is_retired.load(Ordering::SeqCst) && self.release() {
            POOL.give_back(self);
        }
    }

    /// Whether the caller is the one who may pass a retired slot on.
    ///
    /// Nothing begins in a retired slot, so every stripe only falls, and a sum of 0 is final.
    #[cold]
    fn release(&self) -> bool {
        self.calls() == 0
            && self.additional() == 0
            && self
                .is_retired
                .compare_exchange(true, false, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }
}

impl Recycle for InFlight {
    fn retire(&self) -> bool {
        self.is_retired.store(true, Ordering::SeqCst);
        self.release()
    }
}
