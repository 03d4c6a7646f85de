//! A reference without a count, for futures that rarely report.
//!
//! A future that needs its policy only when something went wrong would pay for a counted reference in every call.
//! It holds a [`Late`] instead: a place that is never freed and the number of its owner, both copied. Who has
//! something to report [finds](Late::find) the value there, under a lock.
//!
//! This is not [`slot`](crate::slot), which is for counts: a slot is plain atomics that any call may write to at any time, and it
//! has its next owner at once or when the last call has ended, which costs each call a count. What is found here are names,
//! metrics and knobs, which only few calls ask for; they cannot change under a reader, so they are behind a lock, and nobody
//! knows when the last call has ended, so they stay for a while instead.
//!
//! The value stays in its place when its owner is gone, since calls may outlive the last handle of their policy:
//! `service.oneshot(..)` drops the service as soon as it was called. A place has its next owner only after
//! [`QUARANTINE`] others were given up; a call that lasts longer than that finds nothing.

use std::{
    collections::VecDeque,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The places that nobody owns, the longest unused first.
pub(crate) struct Pool<T: 'static>(Mutex<VecDeque<&'static Place<T>>>);

/// Where one value after the other can be found: the number of the owner, and its value.
struct Place<T>(Mutex<(u64, Option<Arc<T>>)>);

/// A value that late reports find.
pub(crate) struct Found<T: 'static> {
    value: Arc<T>,
    place: &'static Place<T>,
    pool: &'static Pool<T>,
    number: u64,
}

/// What a future holds of a [`Found`] value.
pub(crate) struct Late<T: 'static> {
    place: &'static Place<T>,
    number: u64,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<&'static Place<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> &'static Place<T> {
        let mut unused = self.lock();
        let oldest = (unused.len() > QUARANTINE).then(|| unused.pop_front());
        drop(unused);
        oldest
            .flatten()
            .unwrap_or_else(|| Box::leak(Box::new(Place(Mutex::new((0, None))))))
    }
}

impl<T> Found<T> {
    pub(crate) fn new(pool: &'static Pool<T>, value: T) -> Self {
        let value = Arc::new(value);
        let place = pool.take();
        let mut present = place.lock();
        // Never the number of an earlier owner, whose calls may still be under way.
        present.0 += 1;
        let before = present.1.replace(Arc::clone(&value));
        let number = present.0;
        drop(present);
        drop(before);
        Self {
            value,
            place,
            pool,
            number,
        }
    }

    pub(crate) const fn value(&self) -> &Arc<T> {
        &self.value
    }

    #[inline]
    pub(crate) const fn late(&self) -> Late<T> {
        Late {
            place: self.place,
            number: self.number,
        }
    }
}

impl<T> Deref for Found<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Found<T> {
    fn drop(&mut self) {
        self.pool.lock().push_back(self.place);
    }
}

impl<T> Late<T> {
    /// The value, unless its place has another by now.
    #[cold]
    pub(crate) fn find(self) -> Option<Arc<T>> {
        let present = self.place.lock();
        let (number, value) = &*present;
        value.as_ref().filter(|_| *number == self.number).cloned()
    }
}

impl<T> Clone for Late<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Late<T> {}

impl<T> Place<T> {
    fn lock(&self) -> MutexGuard<'_, (u64, Option<Arc<T>>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Found<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// How many places wait before one is used again. What they keep is small: no budget, no connection.
const QUARANTINE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_after_its_owner_is_gone() {
        static POOL: Pool<u32> = Pool::new();
        let first = Found::new(&POOL, 1);
        let late = first.late();
        drop(first);
        let second = Found::new(&POOL, 2);
        assert_eq!(late.find().as_deref(), Some(&1));
        assert_eq!(second.late().find().as_deref(), Some(&2));
    }

    #[test]
    fn nobody_finds_the_value_of_another() {
        static POOL: Pool<usize> = Pool::new();
        let late = Found::new(&POOL, 0).late();
        for n in 1..3 * QUARANTINE {
            drop(Found::new(&POOL, n));
            assert!(late.find().is_none_or(|value| *value == 0), "{n}");
        }
        assert!(late.find().is_none(), "the place has another value");
        assert_eq!(POOL.lock().len(), QUARANTINE + 1, "places are used again");
    }
}
