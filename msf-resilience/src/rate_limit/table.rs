//! What is remembered of each key: bounded, without a lock for a key that is known.
//!
//! The table grows by levels, each four times as large as the one below. A key is looked for in the
//! highest level; one that is found further down moves up. So a check of a known key touches one bucket, and what
//! nobody asks for stays behind and is swept when it is idle.
//!
//! Everything else - a new key, a move, a key with several limits - happens under one of a few mutexes that the
//! key chooses: so no two threads ever add the same key.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::{
    entry::{NOBODY, Update},
    gcra::{Ticks, moment},
    level::{Address, Index, Level},
    limits::LIMITS_MAX,
};
use crate::stripe::{Padded, Tally};

#[derive(Debug)]
pub(super) struct Table {
    levels: [OnceLock<Level>; LEVELS],
    top: AtomicUsize,
    /// How many arrival times a key has.
    width: usize,
    /// Keys in all levels, and places taken for keys about to be added.
    keys: AtomicUsize,
    max_keys: usize,
    /// Before it no key is idle, so far as the last sweep and later additions know.
    next_idle: AtomicU64,
    /// Before it a large table is not swept again.
    rest_until: AtomicU64,
    sweeping: Mutex<()>,
    stripes: [Padded<Mutex<()>>; STRIPES],
    forgotten: Tally,
}

impl Table {
    pub(super) fn new(max_keys: usize, width: usize) -> Self {
        let table = Self {
            levels: [const { OnceLock::new() }; LEVELS],
            top: AtomicUsize::new(0),
            width,
            keys: AtomicUsize::new(0),
            max_keys,
            next_idle: AtomicU64::new(0),
            rest_until: AtomicU64::new(0),
            sweeping: Mutex::new(()),
            stripes: [const { Padded(Mutex::new(())) }; STRIPES],
            forgotten: Tally::default(),
        };
        table.level(0);
        table
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Keys that were forgotten although they owed something.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.sum()
    }

    /// Some key may have become idle earlier than it was going to.
    pub(super) fn may_be_idle(&self, now: Ticks) {
        self.next_idle.fetch_min(now, Ordering::Relaxed);
    }

    /// Changes the arrival times of a key; for one that is not remembered they are 0. `change` may run several
    /// times; the last counts.
    #[inline]
    pub(super) fn update<T>(
        &self,
        address: Address,
        now: Ticks,
        mut change: impl FnMut(&mut [Ticks]) -> T,
    ) -> T {
        if self.width == 1
            && let Some(level) = self.levels[self.top.load(Ordering::Acquire)].get()
            && let Update::Done(done) =
                level.update(address, &mut |until| change(std::slice::from_mut(until)))
        {
            return done;
        }
        self.update_locked(address, now, change)
    }

    #[cold]
    #[inline(never)]
    fn update_locked<T>(
        &self,
        address: Address,
        now: Ticks,
        mut change: impl FnMut(&mut [Ticks]) -> T,
    ) -> T {
        let _guard = lock(&self.stripes[(address.id >> 58) as usize].0);
        let mut times = [0; LIMITS_MAX];
        let times = &mut times[..self.width];
        let found = self.claim(address);
        if let Some((level, index, until)) = found {
            level.times(index, until, times);
        }
        let done = change(times);
        let top = self.level(self.top.load(Ordering::Acquire));
        match found {
            Some((level, index, _)) if std::ptr::eq(level, top) => {
                level.release(index, address.id, times);
            }
            Some((level, index, _)) => {
                self.put(top, address, times, now);
                level.clear(index);
            }
            None if times.iter().any(|&time| time > now) => self.add(address, times, now),
            None => {}
        }
        done
    }

    /// Claims a key wherever it is.
    fn claim(&self, address: Address) -> Option<(&Level, Index, u64)> {
        let top = self.top.load(Ordering::Acquire);
        let levels = self.levels[..=top].iter().rev().filter_map(OnceLock::get);
        levels
            .filter_map(|level| {
                let (index, until) = level.claim(address)?;
                Some((level, index, until))
            })
            .next()
    }

    fn add(&self, address: Address, times: &[Ticks], now: Ticks) {
        let top = self.grow();
        if !self.take_place() {
            self.sweep(now);
            if !self.take_place() {
                if self.forget_one(top, address) {
                    self.forgotten.add(1);
                }
                // The place of the one that is forgotten; or, when every key is just being moved by another
                // thread, one above the bound.
                self.keys.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.put(top, address, times, now);
    }

    fn take_place(&self) -> bool {
        let taken = self
            .keys
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |keys| {
                (keys < self.max_keys).then_some(keys + 1)
            });
        taken.is_ok()
    }

    /// Puts a key that has a place in the sum into a level where it is not.
    fn put(&self, level: &Level, address: Address, times: &[Ticks], now: Ticks) {
        loop {
            let Some((index, id, until)) = level.vacancy(address, now) else {
                // Other threads hold all of them, for a few instructions.
                std::thread::yield_now();
                continue;
            };
            if !level.entry(index).claim(id, until) {
                continue;
            }
            level.release(index, address.id, times);
            if id != NOBODY {
                self.keys.fetch_sub(1, Ordering::Relaxed);
                if until > now {
                    self.forgotten.add(1);
                }
            }
            let until = times.iter().copied().max().unwrap_or_default();
            self.next_idle.fetch_min(until, Ordering::Relaxed);
            return;
        }
    }

    /// Forgets a key that owes something: the one near `address` that owes least, or else any.
    fn forget_one(&self, top: &Level, address: Address) -> bool {
        let near = level_keys(top, top.candidates(address)).min_by_key(|&(_, _, until)| until);
        let far = || {
            let levels = self.levels.iter().rev().filter_map(OnceLock::get);
            levels
                .flat_map(|level| {
                    let start = (address.place >> 32) as usize % level.entries();
                    level_keys(level, level.from(start)).map(move |key| (level, key))
                })
                .next()
        };
        let Some((level, (index, id, until))) = near.map(|key| (top, key)).or_else(far) else {
            return false;
        };
        let is_mine = level.entry(index).claim(id, until);
        if is_mine {
            level.clear(index);
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
        is_mine
    }

    /// Forgets every key that is idle: nobody can tell.
    ///
    /// It goes through everything, so only when there may be one. In a large table it also waits a while between two
    /// rounds, for an attacker who keeps one key nearly idle.
    fn sweep(&self, now: Ticks) {
        let _guard = lock(&self.sweeping);
        let next = self.next_idle.load(Ordering::Relaxed);
        if now < next.max(self.rest_until.load(Ordering::Relaxed)) {
            return;
        }
        self.next_idle.store(u64::MAX, Ordering::Relaxed);
        let mut next_idle = u64::MAX;
        let mut entries = 0;
        for level in self.levels.iter().filter_map(OnceLock::get) {
            entries += level.entries();
            for (index, id, until) in level_keys(level, level.from(0)) {
                if until > now {
                    next_idle = next_idle.min(until);
                } else if level.entry(index).claim(id, until) {
                    level.clear(index);
                    self.keys.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
        if entries > SMALL {
            self.rest_until
                .store(now + moment(PAUSE_NS), Ordering::Relaxed);
        }
        self.next_idle.fetch_min(next_idle, Ordering::Relaxed);
    }

    /// The highest level, after adding one if the keys need it.
    ///
    /// Idle keys are a reason, too: those that come back would otherwise push each other out of a table that is
    /// too small, each time under a lock.
    fn grow(&self) -> &Level {
        let top = self.top.load(Ordering::Acquire);
        let room = self.room(top);
        if self.keys() >= room && room < self.max_keys {
            self.level(top + 1);
            self.top.fetch_max(top + 1, Ordering::AcqRel);
        }
        self.level(self.top.load(Ordering::Acquire))
    }

    fn room(&self, level: usize) -> usize {
        (ROOM_MIN << (2 * level)).min(self.max_keys)
    }

    fn level(&self, level: usize) -> &Level {
        self.levels[level].get_or_init(|| Level::with_room(self.room(level), self.width))
    }
}

/// The keys at some places: index, identity, and when idle.
fn level_keys(
    level: &Level,
    places: impl Iterator<Item = Index>,
) -> impl Iterator<Item = (Index, u64, u64)> {
    places.filter_map(|index| {
        let (id, until) = level.entry(index).owner()?;
        (id != NOBODY).then_some((index, id, until))
    })
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys in the lowest level.
const ROOM_MIN: usize = 64;
/// As many as make room for 2^24 keys.
const LEVELS: usize = 10;
const STRIPES: usize = 64;
/// A table of so many entries is gone through in a few microseconds.
const SMALL: usize = 4_096;
const PAUSE_NS: u64 = 10_000_000;
