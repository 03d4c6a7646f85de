//! Tokens by class of failure.

use super::{
    class::Class,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// A slot that calls point to. Its generation makes what a former owner's calls give back have no effect.
#[derive(Debug)]
pub(super) struct Quota {
    /// The generation in the upper half, the tokens in the lower. They may be above a capacity that was lowered
    /// meanwhile, so who reads them takes the lower of the two.
    word: AtomicU64,
    capacity: AtomicU32,
    transient_cost: AtomicU32,
    throttled_cost: AtomicU32,
}

impl Quota {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            capacity: AtomicU32::new(0),
            transient_cost: AtomicU32::new(0),
            throttled_cost: AtomicU32::new(0),
        }
    }

    /// Sets a slot up for a new owner, full.
    pub(super) fn reset(&self, capacity: u32, transient_cost: u32, throttled_cost: u32) {
        self.set_numbers(capacity, transient_cost, throttled_cost);
        let generation = self.generation().wrapping_add(1);
        // No plain store: calls of the former owner may still change the word, and this comes after all of them.
        self.word.swap(pack(generation, capacity), Ordering::AcqRel);
    }

    /// New numbers; the tokens stay, within the capacity.
    pub(super) fn set(&self, capacity: u32, transient_cost: u32, throttled_cost: u32) {
        self.set_numbers(capacity, transient_cost, throttled_cost);
        // Those above it are gone, also when it is raised again.
        self.change(self.generation(), |tokens| {
            (tokens > capacity).then_some(capacity)
        });
    }

    pub(super) fn generation(&self) -> u32 {
        unpack(self.word.load(Ordering::Acquire)).0
    }

    pub(super) fn cost(&self, class: Class) -> u32 {
        match class {
            Class::Transient => self.transient_cost.load(Ordering::Relaxed),
            Class::Throttled => self.throttled_cost.load(Ordering::Relaxed),
        }
    }

    pub(super) fn take(&self, generation: u32, cost: u32) -> bool {
        self.change(generation, |tokens| {
            tokens.min(self.capacity()).checked_sub(cost)
        })
    }

    /// A full quota is only read, so calls that succeed in good times write nothing.
    #[inline]
    pub(super) fn give(&self, generation: u32, tokens: u32) {
        let capacity = self.capacity.load(Ordering::Relaxed);
        self.change(generation, |present| {
            (present < capacity).then(|| present.saturating_add(tokens).min(capacity))
        });
    }

    pub(super) fn tokens(&self) -> u32 {
        let (_, tokens) = unpack(self.word.load(Ordering::Acquire));
        tokens.min(self.capacity())
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity.load(Ordering::Relaxed)
    }

    #[inline]
    fn change(&self, generation: u32, next: impl Fn(u32) -> Option<u32>) -> bool {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let (owner, tokens) = unpack(seen);
            let Some(next) = next(tokens).filter(|_| owner == generation) else {
                return false;
            };
            match self.word.compare_exchange_weak(
                seen,
                pack(owner, next),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    fn set_numbers(&self, capacity: u32, transient_cost: u32, throttled_cost: u32) {
        self.capacity.store(capacity, Ordering::Relaxed);
        self.transient_cost.store(transient_cost, Ordering::Relaxed);
        self.throttled_cost.store(throttled_cost, Ordering::Relaxed);
    }
}

fn pack(generation: u32, tokens: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(tokens)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
const fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}
