//! Where arrival times are kept: one for everybody, several for everybody, or a table of keys.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{gcra::Ticks, level::Address, limits::LIMITS_MAX, table::Table};
use crate::stripe::Padded;

#[derive(Debug)]
pub(super) enum Memory {
    /// One limit without keys: a compare-and-swap.
    One(Padded<AtomicU64>),
    /// Several limits without keys.
    Several(Mutex<[Ticks; LIMITS_MAX]>, usize),
    Keyed(Box<Table>),
}

impl Memory {
    pub(super) fn direct(limits: usize) -> Self {
        if limits == 1 {
            Self::One(Padded::default())
        } else {
            Self::Several(Mutex::new([0; LIMITS_MAX]), limits)
        }
    }

    pub(super) fn keyed(max_keys: usize, limits: usize) -> Self {
        Self::Keyed(Box::new(Table::new(max_keys, limits)))
    }

    /// Changes the arrival times of a key. `change` may run several times; the last counts.
    #[inline]
    pub(super) fn update<T>(
        &self,
        address: Address,
        now: Ticks,
        mut change: impl FnMut(&mut [Ticks]) -> T,
    ) -> T {
        match self {
            Self::One(time) => update_one(&time.0, change),
            Self::Several(times, limits) => {
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                change(&mut times[..*limits])
            }
            Self::Keyed(table) => table.update(address, now, change),
        }
    }

    /// Some key may have become idle earlier than it was going to.
    pub(super) fn may_be_idle(&self, now: Ticks) {
        if let Self::Keyed(table) = self {
            table.may_be_idle(now);
        }
    }

    pub(super) fn keys(&self) -> usize {
        match self {
            Self::One(_) | Self::Several(..) => 0,
            Self::Keyed(table) => table.keys(),
        }
    }

    pub(super) fn forgotten(&self) -> u64 {
        match self {
            Self::One(_) | Self::Several(..) => 0,
            Self::Keyed(table) => table.forgotten(),
        }
    }
}

#[inline]
fn update_one<T>(time: &AtomicU64, mut change: impl FnMut(&mut [Ticks]) -> T) -> T {
    let mut seen = time.load(Ordering::Acquire);
    loop {
        let mut next = seen;
        let done = change(std::slice::from_mut(&mut next));
        if next == seen {
            return done;
        }
        match time.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return done,
            Err(other) => seen = other,
        }
    }
}

/// The address of everybody, in a memory without keys.
pub(super) const EVERYBODY: Address = Address { id: 0, place: 0 };
