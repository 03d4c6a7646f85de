//! A key's place in the table: two atomics, and the rules by which threads share them.
//!
//! One word holds the key's arrival time, or the latest of several, under a mask that is the key's own. So a word says
//! whose it is: whoever swaps it knows that it was the key's own time, though the place may pass to another key, or
//! back to none, at any moment before and after. Two keys have the same word with a probability of 1 in 2^63.
//!
//! Whoever wants the place for another key, or for work that takes several steps, *claims* it first: the
//! word becomes [`CLAIMED`], which nobody swaps but the claimer. So a charge and a claim can never both succeed, and a charge
//! that has succeeded is seen by whoever claims the place next.

use super::sync::{AtomicU64, Ordering};

/// No key has this identity.
pub(super) const NOBODY: u64 = 0;

/// Nobody's word.
const VACANT: u64 = 0;

/// A time that is never reached, under a mask that never has its highest bit.
const CLAIMED: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Entry {
    id: AtomicU64,
    word: AtomicU64,
}

/// What [`Entry::update`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Update<T> {
    Done(T),
    /// The place belongs, or will belong, to another key. Nothing was changed.
    Gone,
}

impl Entry {
    #[inline]
    pub(super) fn id(&self) -> u64 {
        self.id.load(Ordering::Acquire)
    }

    /// Who has the place and when they are idle; `None` while someone has claimed it.
    pub(super) fn owner(&self) -> Option<(u64, u64)> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            match word {
                VACANT => return Some((NOBODY, 0)),
                CLAIMED => return None,
                _ => {}
            }
            // Between two equal words the place has not changed hands, so the identity is that of the word.
            let id = self.id();
            let again = self.word.load(Ordering::Acquire);
            if again == word {
                return Some((id, word ^ mask(id)));
            }
            word = again;
        }
    }

    /// Changes the time of the key `id`; `change` runs again if another thread was faster, and may see any time before
    /// its last run.
    #[inline]
    pub(super) fn update<T>(&self, id: u64, change: &mut impl FnMut(&mut u64) -> T) -> Update<T> {
        let mask = mask(id);
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            // The identity after the word: if the word is another's, the place has changed hands since and the swap
            // fails.
            if word == CLAIMED || word == VACANT || self.id() != id {
                return Update::Gone;
            }
            let mut until = word ^ mask;
            let done = change(&mut until);
            let changed = until ^ mask;
            let swapped = if changed == word {
                match self.word.load(Ordering::Acquire) {
                    again if again == word => Ok(word),
                    other => Err(other),
                }
            } else {
                self.word
                    .compare_exchange_weak(word, changed, Ordering::AcqRel, Ordering::Acquire)
            };
            match swapped {
                Ok(_) => return Update::Done(done),
                Err(other) => word = other,
            }
        }
    }

    /// Takes the place if it belongs to `id`, idle at `until`. Then nobody else changes it before
    /// [`release`](Self::release).
    pub(super) fn claim(&self, id: u64, until: u64) -> bool {
        let word = until ^ mask(id);
        self.word
            .compare_exchange(word, CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Gives a claimed place to `id`, idle at `until`.
    pub(super) fn release(&self, id: u64, until: u64) {
        self.id.store(id, Ordering::Release);
        self.word.store(until ^ mask(id), Ordering::Release);
    }

    /// Gives a claimed place to nobody.
    pub(super) fn vacate(&self) {
        self.release(NOBODY, 0);
    }
}

/// Without the highest bit, as times are for 22 years.
#[inline]
const fn mask(id: u64) -> u64 {
    id >> 1
}
