//! A way from a call in flight to its policy that costs nothing until it is taken.
//!
//! Most calls have nothing to say to their policy when they end well. An anchor lets them go without a reference to
//! it, and lets the few others find it; see [`slot`](crate::slot) for why a reference is dear.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::slot::{Owner, Pool, Recycle};

/// Where what a policy knows can be found: while it lives, and after that until another policy takes its place.
///
/// So a call that is the last to hold anything of its policy, such as one of a service that was used up by it, finds it too.
#[derive(Debug)]
pub(crate) struct Anchor<T> {
    /// How many policies this anchor has served; a call from before the last of them finds nothing.
    generation: AtomicU64,
    target: Mutex<Option<Arc<T>>>,
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
        true
    }
}

impl<T: Send + Sync + 'static> Anchor<T> {
    /// An anchor of a pool, with this target.
    pub(crate) fn take(pool: &'static Pool<Self>, target: &Arc<T>) -> Owner<Self> {
        let make = || Self {
            generation: AtomicU64::new(0),
            target: Mutex::new(None),
        };
        pool.take(make, |anchor| {
            let present = anchor.target.lock();
            let mut present = present.unwrap_or_else(PoisonError::into_inner);
            anchor.generation.fetch_add(1, Ordering::Relaxed);
            *present = Some(Arc::clone(target));
        })
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
    /// What the policy knows, unless another policy has taken its place.
    #[cold]
    pub(crate) fn find(self) -> Option<Arc<T>> {
        let target = self.anchor.target.lock();
        let target = target.unwrap_or_else(PoisonError::into_inner);
        // The generation changes under the lock, together with the target.
        let is_same = self.anchor.generation.load(Ordering::Relaxed) == self.generation;
        target.as_ref().filter(|_| is_same).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static POOL: Pool<Anchor<u32>> = Pool::new();

    #[test]
    fn a_call_finds_its_policy_also_after_its_end_and_never_the_next_one() {
        let first = Anchor::take(&POOL, &Arc::new(1));
        let line = first.slot().line();
        assert_eq!(line.find().as_deref(), Some(&1));
        drop(first);
        assert_eq!(line.find().as_deref(), Some(&1));

        let second = Anchor::take(&POOL, &Arc::new(2));
        assert!(line.find().is_none(), "the anchor has a new owner");
        assert_eq!(second.slot().line().find().as_deref(), Some(&2));
    }
}
