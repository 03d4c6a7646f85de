//! State that calls in flight can point to without counting references.
//!
//! The future of a layer must own what it reports to. With an `Arc` in it, every call on every thread writes to one
//! reference count, which costs more than all the rest of a layer. So the hot part of a policy - plain atomics - lives in
//! a *slot*: memory that is never freed, which a call points to with a `&'static`. The handles of the policy are
//! counted as usual; when the last one is gone, the slot goes back to its pool and the next policy of the kind uses it.
//! So there are as many slots as there ever were policies at one time.
//!
//! A call may end after its policy. What it then reports meets a slot that is idle or in other hands, so the slot
//! must know better: by a generation that it never uses twice, or by keeping itself out of the pool until the last call
//! has ended ([`Recycle::retire`]).

use std::{
    fmt,
    ops::Deref,
    sync::{Mutex, PoisonError},
};

/// Something that can live in a slot.
pub(crate) trait Recycle: Send + Sync + 'static {
    /// Called when the last handle is gone. Whether the slot may have a new owner at once; if not, who ends
    /// the last call gives it back with [`Pool::give_back`].
    fn retire(&self) -> bool;
}

/// The slots of one kind that nobody owns.
pub(crate) struct Pool<T: 'static>(Mutex<Vec<&'static T>>);

impl<T: Recycle> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A slot set up by `reset`, made by `make` if none is free.
    pub(crate) fn take(
        &'static self,
        make: impl FnOnce() -> T,
        reset: impl FnOnce(&T),
    ) -> Owner<T> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let slot = free.unwrap_or_else(|| Box::leak(Box::new(make())));
        reset(slot);
        Owner { slot, pool: self }
    }

    /// Makes a slot free that [`Recycle::retire`] kept back.
    #[cold]
    pub(crate) fn give_back(&self, slot: &'static T) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(slot);
    }
}

/// The one owner of a slot, for the inside of the handles' `Arc`.
pub(crate) struct Owner<T: Recycle> {
    slot: &'static T,
    pool: &'static Pool<T>,
}

impl<T: Recycle> Owner<T> {
    /// The slot as calls point to it. It outlives this owner.
    #[inline]
    pub(crate) const fn slot(&self) -> &'static T {
        self.slot
    }
}

impl<T: Recycle> Deref for Owner<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.slot
    }
}

impl<T: Recycle> Drop for Owner<T> {
    fn drop(&mut self) {
        if self.slot.retire() {
            self.pool.give_back(self.slot);
        }
    }
}

impl<T: Recycle + fmt::Debug> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Cell {
        owner: AtomicU32,
        is_busy: AtomicBool,
    }

    impl Recycle for Cell {
        fn retire(&self) -> bool {
            !self.is_busy.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_slot_serves_one_owner_after_the_other() {
        static POOL: Pool<Cell> = Pool::new();
        let take = |owner| {
            POOL.take(Cell::default, |cell| {
                cell.owner.store(owner, Ordering::Relaxed);
            })
        };
        let first = take(1);
        let seen = first.slot();
        let second = take(2);
        assert!(!std::ptr::eq(seen, second.slot()));

        drop(first);
        let third = take(3);
        assert!(std::ptr::eq(seen, third.slot()));
        assert_eq!(seen.owner.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_busy_slot_has_no_new_owner_before_it_is_given_back() {
        static POOL: Pool<Cell> = Pool::new();
        let take = || POOL.take(Cell::default, |_| {});
        let busy = take();
        let seen = busy.slot();
        busy.is_busy.store(true, Ordering::Relaxed);
        drop(busy);
        assert!(!std::ptr::eq(seen, take().slot()));

        POOL.give_back(seen);
        assert!(std::ptr::eq(seen, take().slot()));
    }
}
