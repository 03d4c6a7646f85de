//! A way from a call in flight to its policy that costs nothing until it is taken.
//!
//! Most calls have nothing to say to their policy when they end well. An anchor lets them go without a reference to
//! it, and lets the few others find it; see [`slot`](crate::slot) for why a reference is dear.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use crate::slot::{Owner, Pool, Recycle};

/// Where a policy can be found while it lives.
#[derive(Debug)]
pub(crate) struct Anchor<T> {
    /// How many policies this anchor has served; a call from before the last of them finds nobody.
    generation: AtomicU64,
    target: Mutex<Weak<T>>,
}

/// What a call holds of its policy.
#[derive(Debug)]
pub(crate) struct Line<T: 'static> {
    anchor: &'static Anchor<T>,
    generation: u64,
}

impl<T> Clone for Line<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Line<T> {}

impl<T: Send + Sync + 'static> Recycle for Anchor<T> {
    fn retire(&self) -> bool {
        self.generation.fetch_add(1, Ordering::Relaxed);
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
        true
    }
}

impl<T: Send + Sync + 'static> Anchor<T> {
    /// An anchor of a pool, without a target yet.
    pub(crate) fn take(pool: &'static Pool<Self>) -> Owner<Self> {
        let make = || Self {
            generation: AtomicU64::new(0),
            target: Mutex::new(Weak::new()),
        };
        pool.take(make, |_| {})
    }

    pub(crate) fn set(&self, target: &Arc<T>) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(target);
    }

    /// For a call that begins. The owner must be alive.
    #[inline]
    pub(crate) fn line(&'static self) -> Line<T> {
        Line {
            anchor: self,
            generation: self.generation.load(Ordering::Relaxed),
        }
    }
}

impl<T: Send + Sync + 'static> Line<T> {
    /// The policy, if any of its handles is left.
    #[cold]
    pub(crate) fn find(self) -> Option<Arc<T>> {
        let target = self.anchor.target.lock();
        let target = target.unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, under which a retired anchor forgot its target: a new target means a new generation.
        let is_same = self.anchor.generation.load(Ordering::Relaxed) == self.generation;
        is_same.then(|| target.upgrade()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Policy {
        owner: Owner<Anchor<Self>>,
        number: u32,
    }

    static POOL: Pool<Anchor<Policy>> = Pool::new();

    fn policy(number: u32) -> Arc<Policy> {
        let owner = Anchor::take(&POOL);
        let policy = Arc::new(Policy { owner, number });
        policy.owner.set(&policy);
        policy
    }

    #[test]
    fn a_call_finds_its_policy_and_never_the_next_one() {
        let first = policy(1);
        let line = first.owner.slot().line();
        assert_eq!(line.find().unwrap().number, 1);
        drop(first);
        assert!(line.find().is_none());

        let second = policy(2);
        assert!(line.find().is_none(), "the anchor has a new owner");
        assert_eq!(second.owner.slot().line().find().unwrap().number, 2);
    }
}
