//! A key's place in the table: two atomics, and the rules by which threads share them.
//!
//! `until` is the key's arrival time, or the latest of several. Whoever charges a key moves it on by compare-and-swap.
//! Whoever wants the place for another key, or for work that takes several steps, *claims* it first: the time
//! becomes [`CLAIMED`], which nobody can swap but the claimer. So a charge and a claim can never both succeed.

use super::sync::{AtomicU64, Ordering};

/// No key has this identity.
pub(super) const NOBODY: u64 = 0;

/// A time that is never reached.
const CLAIMED: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Entry {
    id: AtomicU64,
    until: AtomicU64,
}

/// What [`Entry::update`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Update<T> {
    Done(T),
    /// The place belongs, or will belong, to another key.
    Gone,
}

impl Entry {
    #[inline]
    pub(super) fn id(&self) -> u64 {
        self.id.load(Ordering::Acquire)
    }

    /// When the key is idle; `None` while someone has claimed the place.
    #[inline]
    pub(super) fn until(&self) -> Option<u64> {
        let until = self.until.load(Ordering::Acquire);
        (until != CLAIMED).then_some(until)
    }

    /// Changes the time of the key `id`; `change` runs again if another thread was faster.
    #[inline]
    pub(super) fn update<T>(&self, id: u64, change: &mut impl FnMut(&mut u64) -> T) -> Update<T> {
        // The time first: if the place changed hands after it was read, the identity shows it or the swap fails.
        let mut seen = self.until.load(Ordering::Acquire);
        loop {
            if seen == CLAIMED || self.id() != id {
                return Update::Gone;
            }
            let mut until = seen;
            let done = change(&mut until);
            if until == seen {
                return Update::Done(done);
            }
            let swapped =
                self.until
                    .compare_exchange_weak(seen, until, Ordering::AcqRel, Ordering::Acquire);
            match swapped {
                Ok(_) if self.id() == id => return Update::Done(done),
                Ok(_) => {
                    // The place changed hands and the new key came to exactly the time of the old one. Its own time
                    // is put back, unless it was charged since: then it has paid once for another.
                    let _ = self.until.compare_exchange(
                        until,
                        seen,
                        Ordering::AcqRel,
                        Ordering::Relaxed,
                    );
                    return Update::Gone;
                }
                Err(other) => seen = other,
            }
        }
    }

    /// Takes the place if it holds `id` and its time is still `until`. Then nobody else changes it before
    /// [`release`](Self::release).
    pub(super) fn claim(&self, id: u64, until: u64) -> bool {
        let swapped =
            self.until
                .compare_exchange(until, CLAIMED, Ordering::AcqRel, Ordering::Relaxed);
        if swapped.is_err() {
            return false;
        }
        if self.id() == id {
            return true;
        }
        self.until.store(until, Ordering::Release);
        false
    }

    /// Gives a claimed place to `id`, idle at `until`.
    pub(super) fn release(&self, id: u64, until: u64) {
        self.id.store(id, Ordering::Release);
        self.until.store(until, Ordering::Release);
    }
}
