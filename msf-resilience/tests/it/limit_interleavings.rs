//! Every interleaving of a few threads over a key's place in the rate limiter's table, by loom.
//!
//! The entry is compiled here a second time, from its own file, with loom's atomics in the place of the standard library's.

#[path = "../../src/rate_limit/entry.rs"]
mod entry;

mod sync {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}

use loom::{sync::Arc, thread};

use self::entry::{Entry, NOBODY, Update};

/// The place of key 7, which is idle at 10.
fn entry() -> Arc<Entry> {
    let entry = Entry::default();
    assert!(entry.claim(NOBODY, 0));
    entry.release(7, 10);
    Arc::new(entry)
}

fn charge(entry: &Entry) -> Update<()> {
    entry.update(7, &mut |until| *until += 5)
}

#[test]
fn no_charge_of_two_threads_is_lost() {
    loom::model(|| {
        let entry = entry();
        let other = Arc::clone(&entry);
        let thread = thread::spawn(move || charge(&other));
        assert_eq!(charge(&entry), Update::Done(()));
        assert_eq!(thread.join().unwrap(), Update::Done(()));
        assert_eq!(entry.until(), Some(20));
    });
}

#[test]
fn a_key_is_charged_or_given_away_but_never_both() {
    // The second time, the new key is idle at the same time as the old one was.
    for until in [20, 10] {
        loom::model(move || {
            let entry = entry();
            let other = Arc::clone(&entry);
            let thread = thread::spawn(move || {
                let is_mine = other.claim(7, 10);
                if is_mine {
                    other.release(9, until);
                }
                is_mine
            });
            let charged = charge(&entry);
            let is_given = thread.join().unwrap();
            assert_eq!(charged == Update::Gone, is_given);
            let expected = if is_given { (9, until) } else { (7, 15) };
            assert_eq!((entry.id(), entry.until()), (expected.0, Some(expected.1)));
        });
    }
}

#[test]
fn one_of_two_claims_wins() {
    loom::model(|| {
        let entry = entry();
        let other = Arc::clone(&entry);
        let give = |entry: &Entry, id| {
            let is_mine = entry.claim(7, 10);
            if is_mine {
                entry.release(id, 30);
            }
            is_mine
        };
        let thread = thread::spawn(move || give(&other, 8));
        let mine = give(&entry, 9);
        let theirs = thread.join().unwrap();
        assert!(mine != theirs);
        assert_eq!(entry.id(), if mine { 9 } else { 8 });
    });
}
