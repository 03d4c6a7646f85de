//! Calls in flight and additional calls in flight.

use super::{
    rule::PARTS,
    sync::{AtomicU64, Ordering, Padded, STRIPES, own},
};

/// A slot that calls point to until they end. It may have its next owner only when nothing is in flight any more.
#[derive(Debug)]
pub(super) struct InFlight<const N: usize = STRIPES> {
    calls: [Padded<Calls>; N],
    /// How many; above them [`CLOSED`].
    additional: Padded<AtomicU64>,
    /// Ten-thousandths of an additional call per call.
    ratio: AtomicU64,
    min: AtomicU64,
    /// Odd while the slot is closed; each closing has a number of its own.
    era: AtomicU64,
}

/// The calls of one stripe. They may end on another than they began on, so only sums mean something.
///
/// Two counts that only grow, since a difference of many stripes cannot be read at one moment: begun before ended gives too few
/// calls at worst, and never the many that came and went between two reads.
#[derive(Debug)]
struct Calls {
    begun: AtomicU64,
    /// How many; above them [`CLOSED`].
    ended: AtomicU64,
}

impl<const N: usize> InFlight<N> {
    pub(super) fn new() -> Self {
        Self {
            calls: std::array::from_fn(|_| {
                Padded(Calls {
                    begun: AtomicU64::new(0),
                    ended: AtomicU64::new(0),
                })
            }),
            additional: Padded(AtomicU64::new(0)),
            ratio: AtomicU64::new(0),
            min: AtomicU64::new(0),
            era: AtomicU64::new(0),
        }
    }

    /// For a new owner. Nothing is in flight, and nothing is left of the former one but who comes too late to pass the slot on.
    pub(super) fn open(&self, ratio: u64, min: u64) {
        self.set(ratio, min);
        for stripe in &self.calls {
            stripe.0.ended.fetch_and(!CLOSED, Ordering::AcqRel);
        }
        self.additional.0.fetch_and(!CLOSED, Ordering::AcqRel);
    }

    pub(super) fn set(&self, ratio: u64, min: u64) {
        self.ratio.store(ratio, Ordering::Relaxed);
        self.min.store(min, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn begin(&self) {
        // Who sees this call sees the ends of those before it, too.
        self.calls[own()].0.begun.fetch_add(1, Ordering::Release);
    }

    /// Whether the caller is to give the slot back: it was closed, and this was the last call.
    #[inline]
    #[must_use]
    pub(super) fn end(&self) -> bool {
        let before = self.calls[own()].0.ended.fetch_add(1, Ordering::AcqRel);
        before & CLOSED != 0 && self.release()
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

    /// As [`end`](Self::end).
    #[must_use]
    pub(super) fn end_additional(&self) -> bool {
        let before = self.additional.0.fetch_sub(1, Ordering::AcqRel);
        before & CLOSED != 0 && self.release()
    }

    /// Never more than there were at a moment during this call.
    pub(super) fn calls(&self) -> u64 {
        let stripes = || self.calls.iter().map(|stripe| &stripe.0);
        let begun: u64 = stripes().map(|it| it.begun.load(Ordering::Acquire)).sum();
        let ended: u64 = stripes()
            .map(|it| it.ended.load(Ordering::Acquire) & !CLOSED)
            .sum();
        begun.saturating_sub(ended)
    }

    pub(super) fn additional(&self) -> u64 {
        self.additional.0.load(Ordering::Relaxed) & !CLOSED
    }

    pub(super) fn available(&self) -> u64 {
        self.allowed().saturating_sub(self.additional())
    }

    fn allowed(&self) -> u64 {
        let ratio = self.ratio.load(Ordering::Relaxed);
        let share = self.calls().saturating_mul(ratio) / PARTS;
        share.max(self.min.load(Ordering::Relaxed))
    }

    /// The owner is gone: nothing begins any more. Whether the caller is to give the slot back.
    pub(super) fn close(&self) -> bool {
        // First, so that who sees a mark sees the era.
        self.era.fetch_add(1, Ordering::AcqRel);
        for stripe in &self.calls {
            stripe.0.ended.fetch_or(CLOSED, Ordering::AcqRel);
        }
        self.additional.0.fetch_or(CLOSED, Ordering::AcqRel);
        self.release()
    }

    /// Whether the caller is the one who may pass the slot on that is closed in this era.
    ///
    /// Nothing begins in a closed slot, so what is in flight only falls, and 0 is final. Of those who see it, one ends the
    /// era; who saw an earlier era comes too late for it.
    #[cold]
    fn release(&self) -> bool {
        let era = self.era.load(Ordering::Acquire);
        is_closed(era)
            && self.is_idle()
            && self
                .era
                .compare_exchange(era, era + 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Reads by writing: of two who end at one time, on two stripes, the one who is later on either sees both.
    fn is_idle(&self) -> bool {
        let stripes = || self.calls.iter().map(|stripe| &stripe.0);
        let begun: u64 = stripes().map(|it| it.begun.load(Ordering::Acquire)).sum();
        let ended: u64 = stripes()
            .map(|it| it.ended.fetch_add(0, Ordering::AcqRel) & !CLOSED)
            .sum();
        let additional = self.additional.0.fetch_add(0, Ordering::AcqRel) & !CLOSED;
        begun == ended && additional == 0
    }
}

const fn is_closed(era: u64) -> bool {
    era % 2 == 1
}

/// A mark above the counts: who ends on a marked word looks whether it was the last.
const CLOSED: u64 = 1 << 63;
