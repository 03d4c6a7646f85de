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
        assert_eq!(entry.owner(), Some((7, 20)));
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
            assert_eq!(entry.owner(), Some(expected));
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

/// The table moves a key to another place, as it does when it grows; a charge that came too late waits for that.
#[test]
fn a_charge_counts_once_while_its_key_moves() {
    loom::model(|| {
        let places = Arc::new((entry(), Entry::default()));
        let others = Arc::clone(&places);
        let thread = thread::spawn(move || {
            let (old, new) = &*others;
            let until = loop {
                let (id, until) = old.owner().expect("only this thread claims it");
                assert_eq!(id, 7);
                if old.claim(id, until) {
                    break until;
                }
            };
            assert!(new.claim(NOBODY, 0));
            new.release(7, until);
            old.vacate();
        });
        let (old, new) = &*places;
        let charged = charge(old);
        thread.join().unwrap();
        if charged == Update::Gone {
            assert_eq!(charge(new), Update::Done(()));
        }
        assert_eq!(old.owner(), Some((NOBODY, 0)));
        assert_eq!(new.owner(), Some((7, 15)));
    });
}

/// What passes a place on, twice.
fn pass_on(entry: &Entry) {
    assert!(entry.claim(7, 10));
    entry.release(9, 20);
    assert!(entry.claim(9, 20));
    entry.vacate();
}

#[test]
fn nobody_is_judged_by_the_time_of_another() {
    loom::model(|| {
        let entry = entry();
        let other = Arc::clone(&entry);
        let thread = thread::spawn(move || pass_on(&other));
        let judged = entry.update(7, &mut |until| *until);
        assert!(
            matches!(judged, Update::Done(10) | Update::Gone),
            "{judged:?}"
        );
        thread.join().unwrap();
    });
}

#[test]
fn an_owner_is_seen_with_its_own_time() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let entry = entry();
        let other = Arc::clone(&entry);
        let thread = thread::spawn(move || pass_on(&other));
        let owner = entry.owner();
        let known = [None, Some((7, 10)), Some((9, 20)), Some((NOBODY, 0))];
        assert!(known.contains(&owner), "{owner:?}");
        thread.join().unwrap();
    });
}
