//! All flights of one policy, by key.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use hashbrown::HashTable;
use msf_core::clock::Epoch;
use tokio::time::Instant;

use super::{
    flight::{Flight, Found},
    handle::Stats,
};

/// Flights of one policy. A lock of the table is taken before that of a flight, never after it.
pub(super) struct Table<K, T> {
    shards: Box<[Mutex<Shard<K, T>>]>,
    hasher: RandomState,
    epoch: Epoch,
    pub(super) stats: Arc<Stats>,
}

type Shared<T> = Arc<Mutex<Flight<T>>>;

struct Shard<K, T> {
    flights: HashTable<Entry<K, T>>,
    /// Flights that ended without followers, to be used again.
    spare: Vec<Shared<T>>,
}

struct Entry<K, T> {
    hash: u64,
    key: K,
    flight: Shared<T>,
}

/// The part that a call got.
pub(super) enum Part<K, T> {
    Lead(Lead<K, T>),
    Follow(Follow<K, T>),
    /// The table is full.
    Alone,
}

/// The right to bring the outcome. Dropped without one, it hands the call to a follower.
pub(super) struct Lead<K, T> {
    table: Arc<Table<K, T>>,
    flight: Option<Shared<T>>,
    hash: u64,
    number: u32,
}

/// A seat in a flight that another call leads.
pub(super) struct Follow<K, T> {
    table: Arc<Table<K, T>>,
    flight: Shared<T>,
    hash: u64,
    seat: usize,
}

/// What a follower is to do.
pub(super) enum Next<K, T> {
    Take(T),
    Alone,
    Lead(Lead<K, T>),
    /// Wait for the waker, at most until then.
    Wait(Instant),
}

impl<K, T> Table<K, T> {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        let shard = || {
            Mutex::new(Shard {
                flights: HashTable::new(),
                spare: Vec::new(),
            })
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            epoch: Epoch::new(),
            stats,
        }
    }

    pub(super) fn join(self: &Arc<Self>, key: K) -> Part<K, T>
    where
        K: Eq + Hash,
    {
        let hash = self.hasher.hash_one(&key);
        let mut shard = self.shard(hash);
        if let Some(entry) = shard.flights.find(hash, |entry| entry.key == key) {
            let flight = Arc::clone(&entry.flight);
            let mut state = lock(&flight);
            if state.is_vacant() {
                let number = state.lead(self.epoch.nanos());
                drop(state);
                return Part::Lead(self.lead(flight, hash, number));
            }
            let seat = state.take_seat();
            drop(state);
            return Part::Follow(Follow {
                table: Arc::clone(self),
                flight,
                hash,
                seat,
            });
        }
        if shard.flights.len() >= self.stats.keys_per_shard() {
            return Part::Alone;
        }
        let now = self.epoch.nanos();
        let flight = match shard.spare.pop() {
            Some(spare) => {
                lock(&spare).reset(now);
                spare
            }
            None => Arc::new(Mutex::new(Flight::new(now))),
        };
        let entry = Entry {
            hash,
            key,
            flight: Arc::clone(&flight),
        };
        shard.flights.insert_unique(hash, entry, |entry| entry.hash);
        drop(shard);
        Part::Lead(self.lead(flight, hash, 0))
    }

    /// Flights under way.
    pub(super) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).flights.len()).sum()
    }

    /// Seats that spare flights have memory for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        let shards = self.shards.iter().map(lock);
        shards
            .map(|shard| {
                shard
                    .spare
                    .iter()
                    .map(|spare| lock(spare).room())
                    .sum::<usize>()
            })
            .sum()
    }

    const fn lead_of(table: Arc<Self>, flight: Shared<T>, hash: u64, number: u32) -> Lead<K, T> {
        Lead {
            table,
            flight: Some(flight),
            hash,
            number,
        }
    }

    fn lead(self: &Arc<Self>, flight: Shared<T>, hash: u64, number: u32) -> Lead<K, T> {
        Self::lead_of(Arc::clone(self), flight, hash, number)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<K, T>> {
        // The table inside uses the lowest and the highest bits.
        lock(&self.shards[(hash >> 32) as usize % SHARDS])
    }

    /// Takes a flight off the table, so that nobody joins any more; the key is dropped outside the lock.
    fn remove(
        &self,
        shard: &mut Shard<K, T>,
        hash: u64,
        flight: &Shared<T>,
    ) -> Option<Entry<K, T>> {
        let found = shard
            .flights
            .find_entry(hash, |entry| Arc::ptr_eq(&entry.flight, flight));
        found.ok().map(|found| found.remove().0)
    }
}

impl<K, T> Lead<K, T> {
    /// Ends the flight if nobody follows; says whether it did.
    pub(super) fn end_alone(&mut self) -> bool {
        self.end_alone_or(|_| ()).is_none()
    }

    /// Ends the flight if nobody follows, or else changes it before any of those who follow can leave.
    fn end_alone_or<R>(&mut self, change: impl FnOnce(&mut Flight<T>) -> R) -> Option<R> {
        let flight = self.flight.as_ref()?;
        let mut shard = self.table.shard(self.hash);
        let mut state = lock(flight);
        if state.followers() > 0 {
            return Some(change(&mut state));
        }
        let is_mine = state.leader() == self.number;
        drop(state);
        // One who took this leader's place still makes the call, for whoever joins now.
        let entry = is_mine
            .then(|| self.table.remove(&mut shard, self.hash, flight))
            .flatten();
        let mut flight = self.flight.take();
        // Not the last reference, which is the one that was just taken.
        let key = entry.map(|entry| entry.key);
        let is_reusable = flight.as_mut().and_then(Arc::get_mut).is_some_and(|last| {
            let state = last.get_mut().unwrap_or_else(PoisonError::into_inner);
            state.room() <= SEATS_MAX
        });
        if is_reusable && key.is_some() && shard.spare.len() < SPARE_MAX {
            shard.spare.extend(flight.take());
        }
        // What keys and outcomes do when they are dropped is unknown, so not under the lock.
        drop(shard);
        drop((key, flight));
        None
    }

    /// Gives everybody the outcome.
    pub(super) fn land(mut self, outcome: impl FnOnce() -> T) {
        if self.end_alone() {
            return;
        }
        self.close();
        if let Some(flight) = self.flight.take() {
            // Made outside the lock, since it is the code of others. A panic in it leaves everybody on their own.
            let mut scatter = Scatter(Some(&flight));
            let mut outcome = Some(outcome());
            scatter.0 = None;
            // Two statements: a lock that is taken within one is held to its end, and a waker may poll at once.
            let wakers = lock(&flight).land(&mut outcome);
            wake(wakers);
        }
    }

    /// Sends everybody off to make their own call.
    pub(super) fn scatter(mut self) {
        if self.end_alone() {
            return;
        }
        self.close();
        if let Some(flight) = self.flight.take() {
            scatter(&flight);
        }
    }

    fn close(&self) {
        if let Some(flight) = &self.flight {
            let mut shard = self.table.shard(self.hash);
            let entry = self.table.remove(&mut shard, self.hash, flight);
            drop(shard);
            drop(entry);
        }
    }
}

impl<K, T> Drop for Lead<K, T> {
    fn drop(&mut self) {
        // In one step: if the last follower left between two, nobody would take the flight off the table.
        let number = self.number;
        let next = self.end_alone_or(|flight| flight.vacate(number));
        if let Some(next) = next.flatten() {
            next.wake();
        }
    }
}

/// Scatters a flight whose outcome could not be copied.
struct Scatter<'a, T>(Option<&'a Mutex<Flight<T>>>);

impl<T> Drop for Scatter<'_, T> {
    fn drop(&mut self) {
        if let Some(flight) = self.0 {
            scatter(flight);
        }
    }
}

impl<K, T: Clone> Follow<K, T> {
    /// What to do now; waits at most for `patience` since the leader began.
    pub(super) fn look(&self, waker: &Waker, patience: Duration) -> Next<K, T> {
        let now = self.table.epoch.nanos();
        let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        // The waker that was there before is dropped after the lock is released: what that runs is unknown.
        let (found, _before) = lock(&self.flight).look(self.seat, waker, now, patience);
        match found {
            Found::Landed(outcome) => Next::Take(outcome),
            Found::Scattered => {
                self.table.stats.went_alone();
                Next::Alone
            }
            Found::Lead(number) => {
                self.table.stats.taken_over();
                Next::Lead(self.table.lead(Arc::clone(&self.flight), self.hash, number))
            }
            Found::Wait { since } => {
                Next::Wait(self.table.epoch.instant(since.saturating_add(patience)))
            }
        }
    }
}

impl<K, T> Drop for Follow<K, T> {
    fn drop(&mut self) {
        let mut state = lock(&self.flight);
        let (next, _own) = state.leave_seat(self.seat);
        let is_deserted = state.is_vacant() && state.followers() == 0;
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
        if is_deserted {
            let mut shard = self.table.shard(self.hash);
            let state = lock(&self.flight);
            // Somebody may have joined meanwhile, and leads.
            let is_deserted = state.is_vacant() && state.followers() == 0;
            drop(state);
            let entry = is_deserted
                .then(|| self.table.remove(&mut shard, self.hash, &self.flight))
                .flatten();
            drop(shard);
            drop(entry);
        }
    }
}

impl<K, T> fmt::Debug for Table<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scatter<T>(flight: &Mutex<Flight<T>>) {
    let wakers = lock(flight).scatter();
    wake(wakers);
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

pub(super) const SHARDS: usize = 16;

/// Spare flights of a shard: enough for what is under way at once, and a bound on what a burst leaves behind.
const SPARE_MAX: usize = 64;

/// Seats of a spare flight. One that a crowd has followed is not kept.
const SEATS_MAX: usize = 16;
