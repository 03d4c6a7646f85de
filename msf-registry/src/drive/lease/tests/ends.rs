//! How registrations end, and who may take over their ids.

use super::*;

#[test]
fn an_id_lives_once_and_is_free_when_its_end_begins() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    assert_eq!(ledger.add(instance(0), now), Err(Duplicate));
    assert!(ledger.end(0, now, END));
    let next = ledger.add(instance(0), now).unwrap();
    assert_ne!(next, 0);
    assert_eq!(
        ledger.living(&instance(0).service, &instance(0).id),
        Some(next)
    );
    assert_eq!(
        ledger.change(0, instance(0).version("2"), now),
        None,
        "it ends"
    );
}

#[test]
fn who_takes_over_an_id_waits_for_the_put_of_its_predecessor() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let first = ledger.add(instance(1), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    ledger.end(first, now, END);
    let second = ledger.add(instance(1), now).unwrap();
    assert!(ledger.call(now).is_none(), "the first put is not over");
    ledger.put(first, &asked, Ok(lease(1)), now);
    let Some(Call::Remove { number, .. }) = ledger.call(now) else {
        panic!("what was put is not removed");
    };
    assert_eq!(number, first);
    // Nor may the removal hit the second one.
    assert!(ledger.call(now).is_none(), "the removal is not over");
    assert!(
        !ledger.removed(first, false, now),
        "the second one takes its place"
    );
    assert_eq!(put(&mut ledger, now).0, second);
}

#[test]
fn of_several_that_end_under_an_id_the_next_waits_for_the_last() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let mut before = 0;
    for _ in 0..3 {
        ledger.end(before, now, END);
        let next = ledger.add(instance(0), now).unwrap();
        while let Some(call) = ledger.call(now) {
            match call {
                Call::Remove { number, .. } => {
                    assert_eq!(number, before);
                    ledger.removed(number, true, now);
                }
                Call::Put(number, asked) => {
                    assert_eq!(number, next);
                    ledger.put(number, &asked, Ok(lease(0)), now);
                }
                Call::Renew(_) => unreachable!("nothing is due"),
            }
        }
        assert!(ledger.is_over(before));
        before = next;
    }
    // One that never got its turn leaves nobody waiting.
    ledger.end(before, now, END);
    let skipped = ledger.add(instance(0), now).unwrap();
    let last_busy = ledger.call(now).is_some();
    ledger.end(skipped, now, END);
    let last = ledger.add(instance(0), now).unwrap();
    assert!(last_busy && ledger.call(now).is_none());
    ledger.removed(before, true, now);
    assert_eq!(put(&mut ledger, now).0, last);
}

#[test]
fn an_end_is_tried_again_within_its_time_and_not_beyond() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    ledger.end(0, now, END);
    let (mut at, mut tries) = (now, 0);
    loop {
        match ledger.call(at) {
            Some(Call::Remove { number, .. }) => {
                tries += 1;
                if !ledger.removed(number, false, at) {
                    break;
                }
            }
            None => at = ledger.next_at().unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        at - now <= END && tries >= 2,
        "{tries} tries in {:?}",
        at - now
    );
    assert!(ledger.is_empty() && ledger.is_over(0));
    assert_eq!(ledger.next_at(), None);
}

#[test]
fn who_was_never_registered_ends_at_once() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    assert!(ledger.end(number, now, Duration::MAX));
    assert!(ledger.is_empty());
    assert!(!ledger.end(number, now, END), "it has ended");
}
