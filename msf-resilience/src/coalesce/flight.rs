//! One call that several wait for: a pure state, which its owner locks.

use std::{mem, task::Waker};

/// Who makes the call, and who waits for its outcome.
#[derive(Debug)]
pub(super) struct Flight<T> {
    phase: Phase<T>,
    /// Which leader it has, counted; one whose number has passed has been replaced.
    leader: u32,
    /// When the leader began, in nanoseconds of the table's epoch.
    since: u64,
    seats: Vec<Seat>,
    free: Vec<usize>,
}

#[derive(Debug)]
enum Phase<T> {
    Led,
    /// The leader is gone, and a follower was woken to take its place.
    Vacant,
    Landed(Option<T>),
    /// The outcome is for the leader alone; everybody else makes a call of their own.
    Scattered,
}

#[derive(Debug)]
enum Seat {
    Free,
    Taken(Option<Waker>),
}

/// What a follower finds.
#[derive(Debug, PartialEq)]
pub(super) enum Found<T> {
    Landed(T),
    Scattered,
    /// The follower is the leader from now on, under this number.
    Lead(u32),
    /// It waits for a leader who began then.
    Wait {
        since: u64,
    },
}

/// Wakers to be called once the lock is released.
pub(super) type Wakers = Vec<Waker>;

impl<T> Flight<T> {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            phase: Phase::Led,
            leader: 0,
            since: now,
            seats: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Makes it a new flight, if nobody has part in the old one any more. The seats keep their memory.
    pub(super) fn reset(&mut self, now: u64) {
        self.phase = Phase::Led;
        self.leader = 0;
        self.since = now;
        self.seats.clear();
        self.free.clear();
    }

    /// How many seats it has memory for.
    pub(super) const fn room(&self) -> usize {
        self.seats.capacity()
    }

    pub(super) const fn leader(&self) -> u32 {
        self.leader
    }

    pub(super) const fn followers(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    pub(super) const fn is_vacant(&self) -> bool {
        matches!(self.phase, Phase::Vacant)
    }

    /// Takes the place of a leader who is gone or too slow.
    pub(super) fn lead(&mut self, now: u64) -> u32 {
        self.phase = Phase::Led;
        self.leader = self.leader.wrapping_add(1);
        self.since = now;
        self.leader
    }

    pub(super) fn take_seat(&mut self) -> usize {
        if let Some(seat) = self.free.pop() {
            self.seats[seat] = Seat::Taken(None);
            seat
        } else {
            self.seats.push(Seat::Taken(None));
            self.seats.len() - 1
        }
    }

    /// Gives a seat back, and with it the waker that was in it, to be dropped outside the lock.
    ///
    /// Who leaves a vacant flight has perhaps been woken to lead it, so the next one is to be woken.
    pub(super) fn leave_seat(&mut self, seat: usize) -> (Option<Waker>, Option<Waker>) {
        let own = match mem::replace(&mut self.seats[seat], Seat::Free) {
            Seat::Taken(waker) => waker,
            Seat::Free => None,
        };
        self.free.push(seat);
        let next = self.is_vacant().then(|| self.next_waker()).flatten();
        (next, own)
    }

    /// What a follower finds that is polled, and the waker that it left the last time.
    ///
    /// It waits at most until `since + patience`.
    pub(super) fn look(
        &mut self,
        seat: usize,
        waker: &Waker,
        now: u64,
        patience: u64,
    ) -> (Found<T>, Option<Waker>)
    where
        T: Clone,
    {
        let is_last = self.followers() == 1;
        let found = match &mut self.phase {
            Phase::Landed(outcome) => {
                let outcome = if is_last {
                    outcome.take()
                } else {
                    outcome.clone()
                };
                // Empty only after the last follower has looked.
                outcome.map_or(Found::Scattered, Found::Landed)
            }
            Phase::Scattered => Found::Scattered,
            Phase::Vacant => Found::Lead(self.lead(now)),
            Phase::Led if now >= self.since.saturating_add(patience) => Found::Lead(self.lead(now)),
            Phase::Led => Found::Wait { since: self.since },
        };
        let before = match &mut self.seats[seat] {
            Seat::Taken(present) if matches!(found, Found::Wait { .. }) => match present {
                Some(present) if present.will_wake(waker) => None,
                present => present.replace(waker.clone()),
            },
            _ => None,
        };
        (found, before)
    }

    /// The outcome is there, whichever leader brings it.
    ///
    /// An outcome that comes too late is left where it is, to be dropped outside the lock.
    pub(super) fn land(&mut self, outcome: &mut Option<T>) -> Wakers {
        if matches!(self.phase, Phase::Led | Phase::Vacant) {
            self.phase = Phase::Landed(outcome.take());
        }
        self.all_wakers()
    }

    /// There will be no outcome to share.
    pub(super) fn scatter(&mut self) -> Wakers {
        if matches!(self.phase, Phase::Led | Phase::Vacant) {
            self.phase = Phase::Scattered;
        }
        self.all_wakers()
    }

    /// The leader with this number is gone without an outcome.
    pub(super) fn vacate(&mut self, leader: u32) -> Option<Waker> {
        if leader != self.leader || !matches!(self.phase, Phase::Led) {
            return None;
        }
        self.phase = Phase::Vacant;
        self.next_waker()
    }

    fn next_waker(&mut self) -> Option<Waker> {
        self.seats.iter_mut().find_map(|seat| match seat {
            Seat::Taken(waker) => waker.take(),
            Seat::Free => None,
        })
    }

    fn all_wakers(&mut self) -> Wakers {
        let seats = self.seats.iter_mut();
        seats
            .filter_map(|seat| match seat {
                Seat::Taken(waker) => mem::take(waker),
                Seat::Free => None,
            })
            .collect()
    }
}
