//! Which stripe a thread uses.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{Mutex, OnceLock, PoisonError},
    thread::available_parallelism,
};

/// How many stripes there are of whatever every pick writes: a power of two.
///
/// With one for each core, two threads that pick at the same moment hardly ever write to the same one.
pub(super) fn stripes() -> usize {
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        cores.next_power_of_two().min(STRIPES_MAX)
    })
}

/// The number of this thread: the lowest that no other living thread has that picks.
///
/// Only [`SHARED`] may be of several threads at once. The lowest, so that the threads of today stay apart whatever threads
/// there were: numbers that only count up meet again after the remainder is taken.
#[inline]
pub(super) fn number() -> usize {
    let number = NUMBER.get();
    if number == NONE { first() } else { number }
}

#[cold]
fn first() -> usize {
    let number = {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..).zip(taken.iter()).find(|(n, taken)| n != *taken);
        let number = free.map_or(taken.len(), |(n, _)| n);
        taken.insert(number);
        number
    };
    let is_kept = GIVE_BACK.try_with(|give_back| *give_back.borrow_mut() = Some(GiveBack(number)));
    if is_kept.is_ok() {
        NUMBER.set(number);
        return number;
    }
    // A thread that is about to end and has given back its number. Nobody would give back another one.
    drop(GiveBack(number));
    SHARED
}

struct GiveBack(usize);

impl Drop for GiveBack {
    fn drop(&mut self) {
        NUMBER.set(NONE);
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.0);
    }
}

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    static GIVE_BACK: RefCell<Option<GiveBack>> = const { RefCell::new(None) };
}

static TAKEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

const NONE: usize = usize::MAX;
/// Higher than any thread's own. Of threads that end.
const SHARED: usize = usize::MAX - 1;
/// Beyond it the memory of each instance grows more than contention shrinks.
const STRIPES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn a_thread_keeps_its_number_and_no_two_share_one() {
        let together = Barrier::new(8);
        let numbers: BTreeSet<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let own = number();
                        together.wait();
                        assert_eq!(number(), own);
                        own
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(numbers.len(), 8);
    }

    #[test]
    fn numbers_come_back() {
        // Other tests pick meanwhile, so only the size is known: far fewer than threads that lived.
        let most = (0..500)
            .map(|_| thread::spawn(number).join().unwrap())
            .max();
        assert!(most.unwrap() < 400, "{most:?}");
    }
}
