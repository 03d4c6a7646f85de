//! The permits, the limit and the line.

use std::{collections::BTreeMap, mem, task::Waker};

use super::{
    cells::Cells,
    sync::{AtomicBool, AtomicU32, Mutex, MutexGuard, Ordering, Padded, PoisonError, STRIPES},
};

/// So many at once, and a line of those that wait.
#[derive(Debug)]
pub(crate) struct Gate {
    cells: Cells,
    front: Padded<Front>,
    line: Mutex<Line>,
}

/// What every call reads and only rare events write.
#[derive(Debug)]
struct Front {
    /// Whether arrivals and releases must go through the line.
    is_attended: AtomicBool,
    limit: AtomicU32,
    /// The permits there are, in cells and in hands: the limit, and above it the line's debt.
    permits: AtomicU32,
}

#[derive(Debug)]
struct Line {
    /// Permits that must not go to anybody when they come back.
    debt: u32,
    /// Who waits, in the order of arrival. Whose ticket is gone has a permit.
    waiting: BTreeMap<u64, Waker>,
    next_ticket: u64,
    is_retired: bool,
    /// What was last seen of the cells' returns, and their sum since the first look.
    returned: ([u32; STRIPES], u64),
}

/// What became of somebody who came to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// There was a permit, and nobody before.
    Permit,
    /// In the line, with this ticket.
    Waiting(u64),
    /// The line is full.
    Full,
}

impl Gate {
    /// A gate without permits; see [`open`](Self::open).
    pub(crate) fn new() -> Self {
        Self {
            cells: Cells::empty(),
            front: Padded(Front {
                is_attended: AtomicBool::new(false),
                limit: AtomicU32::new(0),
                permits: AtomicU32::new(0),
            }),
            line: Mutex::new(Line {
                debt: 0,
                waiting: BTreeMap::new(),
                next_ticket: 0,
                is_retired: false,
                returned: ([0; STRIPES], 0),
            }),
        }
    }

    /// Gives a new gate, or one that was retired, its permits.
    pub(crate) fn open(&self, limit: u32) {
        let mut line = self.line();
        debug_assert!(self.in_flight() == 0 && line.waiting.is_empty());
        line.returned = (self.cells.returned(), 0);
        self.set_numbers(limit, limit);
        self.cells.add(limit);
    }

    /// Takes a permit if there is one and nobody waits for it.
    #[inline]
    pub(crate) fn try_acquire(&self) -> bool {
        if self.front.0.is_attended.load(Ordering::Acquire) {
            return self.try_acquire_attended();
        }
        self.cells.take()
    }

    #[cold]
    fn try_acquire_attended(&self) -> bool {
        let mut line = self.line();
        self.pay(&mut line);
        let is_free = line.is_quiet() && self.cells.sweep(1) == 1;
        self.attend(&line);
        is_free
    }

    /// Brings a permit back. `true` if it was the last one out of a retired gate.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        self.cells.put();
        self.front.0.is_attended.load(Ordering::Acquire) && self.serve()
    }

    /// Takes a permit, or a place in the line if fewer than `max_waiting` are in it.
    pub(crate) fn enter(&self, waker: &Waker, max_waiting: usize) -> Place {
        let waker = waker.clone();
        let mut line = self.line();
        // Before the sweep: who brings a permit back from now on looks into the line.
        self.front.0.is_attended.store(true, Ordering::Release);
        self.pay(&mut line);
        let place = if line.is_quiet() && self.cells.sweep(1) == 1 {
            Place::Permit
        } else if line.waiting.len() < max_waiting {
            let ticket = line.next_ticket;
            line.next_ticket += 1;
            line.waiting.insert(ticket, waker);
            Place::Waiting(ticket)
        } else {
            Place::Full
        };
        self.attend(&line);
        place
    }

    /// Whether the turn of this ticket has come, so that its holder has a permit now; if not, `waker` is woken then.
    pub(crate) fn is_served(&self, ticket: u64, waker: &Waker) -> bool {
        let mut line = self.line();
        let Some(known) = line.waiting.get_mut(&ticket) else {
            return true;
        };
        let replaced = (!known.will_wake(waker)).then(|| mem::replace(known, waker.clone()));
        // Dropping a waker may run code of anybody's.
        drop(line);
        drop(replaced);
        false
    }

    /// Leaves the line. `false` if the turn had come: the holder of the ticket has a permit.
    #[must_use]
    pub(crate) fn leave(&self, ticket: u64) -> bool {
        let mut line = self.line();
        let waker = line.waiting.remove(&ticket);
        self.attend(&line);
        drop(line);
        waker.is_some()
    }

    /// Changes the limit. What is above a lower one stays in flight and is not replaced when it ends.
    pub(crate) fn set_limit(&self, limit: u32) {
        let mut line = self.line();
        let before = self.limit();
        if limit >= before {
            let more = limit - before;
            let forgiven = more.min(line.debt);
            line.debt -= forgiven;
            self.set_numbers(limit, limit + line.debt);
            self.cells.add(more - forgiven);
        } else {
            line.debt += before - limit;
            self.set_numbers(limit, limit + line.debt);
            self.front.0.is_attended.store(true, Ordering::Release);
            self.pay(&mut line);
        }
        self.attend(&line);
        drop(line);
        // Nobody owns a retired gate, so nobody retires it here.
        let _ = self.serve();
    }

    /// Takes all permits out of circulation. `true` if they are all here; otherwise the last one to come back says so.
    #[must_use]
    pub(crate) fn retire(&self) -> bool {
        let mut line = self.line();
        debug_assert!(line.waiting.is_empty(), "who waits holds the owner");
        line.is_retired = true;
        line.debt += self.limit();
        self.set_numbers(0, line.debt);
        self.front.0.is_attended.store(true, Ordering::Release);
        self.pay(&mut line);
        let is_over = line.is_over();
        // What is said here, no releaser may say again.
        line.is_retired = !is_over;
        self.attend(&line);
        is_over
    }

    #[inline]
    pub(crate) fn limit(&self) -> u32 {
        self.front.0.limit.load(Ordering::Relaxed)
    }

    /// The permits in hands, at about this time.
    pub(crate) fn in_flight(&self) -> u32 {
        let permits = self.front.0.permits.load(Ordering::Relaxed);
        let here = u32::try_from(self.cells.count()).unwrap_or(u32::MAX);
        permits.saturating_sub(here)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }

    /// How many permits came back since the gate was opened, if asked at least once in 2^32 of them.
    pub(crate) fn returned(&self) -> u64 {
        let mut line = self.line();
        let now = self.cells.returned();
        let (before, sum) = &mut line.returned;
        for (now, before) in now.iter().zip(before) {
            *sum += u64::from(now.wrapping_sub(*before));
            *before = *now;
        }
        line.returned.1
    }

    /// Hands what is in the cells to those who wait. `true` if it was the last permit out of a retired gate.
    #[cold]
    fn serve(&self) -> bool {
        loop {
            let mut line = self.line();
            self.pay(&mut line);
            if line.is_over() {
                self.attend(&line);
                line.is_retired = false;
                return true;
            }
            let is_next = line.debt == 0 && !line.waiting.is_empty() && self.cells.sweep(1) == 1;
            let next = is_next.then(|| line.waiting.pop_first()).flatten();
            self.attend(&line);
            drop(line);
            // Waking may run code of anybody's, so nothing is locked.
            match next {
                Some((_, waker)) => waker.wake(),
                None => return false,
            }
        }
    }

    /// Pays as much of the debt as the cells hold.
    fn pay(&self, line: &mut Line) {
        if line.debt > 0 {
            let paid = self.cells.sweep(line.debt);
            line.debt -= paid;
            self.set_numbers(self.limit(), self.limit() + line.debt);
        }
    }

    fn set_numbers(&self, limit: u32, permits: u32) {
        self.front.0.limit.store(limit, Ordering::Relaxed);
        self.front.0.permits.store(permits, Ordering::Relaxed);
    }

    /// Leaves the gate to itself again if nothing is left to attend to. Only called with the lock.
    fn attend(&self, line: &Line) {
        if line.is_quiet() {
            self.front.0.is_attended.store(false, Ordering::Release);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn is_quiet(&self) -> bool {
        self.debt == 0 && self.waiting.is_empty()
    }

    const fn is_over(&self) -> bool {
        self.is_retired && self.debt == 0
    }
}
