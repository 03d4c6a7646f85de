//! A weak reference without a count, for futures that rarely report.
//!
//! A future that reports only what went wrong needs its policy in few calls, and pays for a counted reference in all of
//! them. It holds a [`Late`] instead: a [slot](crate::slot) and the number of its owner, both copied. Who has
//! something to report [upgrades](Late::upgrade) it, under a lock, and finds either the policy or that it is gone.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::slot::{Owner, Pool, Recycle};

/// Where one policy after the other can be found.
pub(crate) struct Place<T> {
    present: Mutex<(u64, Weak<T>)>,
}

/// Keeps a policy findable; the policy holds it.
pub(crate) struct Found<T: Send + Sync + 'static> {
    place: Owner<Place<T>>,
    number: u64,
}

/// What a future holds of a policy.
pub(crate) struct Late<T: 'static> {
    place: &'static Place<T>,
    number: u64,
}

impl<T: Send + Sync + 'static> Found<T> {
    pub(crate) fn new(pool: &'static Pool<Place<T>>, policy: &Weak<T>) -> Self {
        let mut number = 0;
        let place = pool.take(Place::new, |place| {
            let mut present = place.lock();
            // Never the number of an earlier owner, whose futures may still be under way.
            present.0 += 1;
            present.1 = Weak::clone(policy);
            number = present.0;
        });
        Self { place, number }
    }

    #[inline]
    pub(crate) const fn late(&self) -> Late<T> {
        Late {
            place: self.place.slot(),
            number: self.number,
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Found<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.late().fmt(f)
    }
}

impl<T> Late<T> {
    /// The policy, unless its last handle is gone.
    #[cold]
    pub(crate) fn upgrade(self) -> Option<Arc<T>> {
        let present = self.place.lock();
        let (number, policy) = &*present;
        (*number == self.number).then(|| policy.upgrade())?
    }
}

impl<T> Clone for Late<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Late<T> {}

impl<T> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl<T> Place<T> {
    const fn new() -> Self {
        Self {
            present: Mutex::new((0, Weak::new())),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, Weak<T>)> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> Recycle for Place<T> {
    fn retire(&self) -> bool {
        self.lock().1 = Weak::new();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Policy {
        name: u32,
        found: Found<Policy>,
    }

    fn policy(pool: &'static Pool<Place<Policy>>, name: u32) -> Arc<Policy> {
        Arc::new_cyclic(|weak| Policy {
            name,
            found: Found::new(pool, weak),
        })
    }

    #[test]
    fn who_reports_late_finds_the_policy_it_knew_or_none() {
        static POOL: Pool<Place<Policy>> = Pool::new();
        let first = policy(&POOL, 1);
        let late = first.found.late();
        assert_eq!(late.upgrade().map(|policy| policy.name), Some(1));
        drop(first);
        assert!(late.upgrade().is_none());

        let second = policy(&POOL, 2);
        assert!(std::ptr::eq(second.found.late().place, late.place));
        assert!(late.upgrade().is_none(), "not the next owner of the place");
        assert_eq!(second.found.late().upgrade().unwrap().name, 2);
    }
}
