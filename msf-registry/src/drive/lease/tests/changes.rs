//! An instance that changes while it is registered, and one that is refused.

use super::*;

#[test]
fn a_change_is_put_and_renewals_go_on_meanwhile() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let draining = instance(0).status(Status::Draining);
    assert_eq!(ledger.change(0, draining.clone(), now), Some((1, false)));
    assert_eq!(
        ledger.change(0, draining, now),
        Some((1, false)),
        "the same again"
    );
    // The registry is full for whoever changes, and renews all the same.
    let (mut at, mut renewed) = (now, 0);
    while at < now + TTL * 2 {
        match ledger.call(at) {
            Some(Call::Put(number, asked)) => {
                let full = RegistryError::Full { limit: "instances" };
                ledger.put(number, &asked, Err(&full), at);
            }
            Some(Call::Renew(batch)) => {
                renewed += 1;
                ledger.renewed(&[batch[0].0], &[OK], at);
            }
            _ => at = ledger.next_at().unwrap(),
        }
    }
    assert!(renewed >= 4, "{renewed}");
    assert_eq!(ledger.stage(0, at), Stage::Registered);
}

#[test]
fn a_change_during_a_put_is_put_after_it() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let (_, first) = put(&mut ledger, now);
    ledger
        .change(number, instance(1).version("2"), now)
        .unwrap();
    assert!(
        ledger.call(now).is_none(),
        "two calls of one instance may overtake each other"
    );
    ledger.put(number, &first, Ok(lease(1)), now);
    let (_, second) = put(&mut ledger, now);
    assert_eq!(second.instance.version.as_deref(), Some("2"));
    assert_eq!(second.change, 1);
}

#[test]
fn a_change_that_is_refused_leaves_what_was() {
    let now = clock::now();
    let mut ledger = listed(1, now);
    let (change, _) = ledger.change(0, instance(0).version("2"), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    let taken = ledger.put(0, &asked, Err(&never()), now);
    assert_eq!(taken, Taken::Never { is_first: true });
    assert_eq!(ledger.stage(0, now), Stage::Registered);
    assert_eq!(ledger.wanted(0).unwrap().version, None);
    assert!(ledger.call(now).is_none());
    // To want what is there needs no call.
    assert_eq!(ledger.change(0, instance(0), now), Some((change, true)));
}

#[test]
fn what_was_never_taken_is_refused_and_tried_all_the_same() {
    let now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let (_, asked) = put(&mut ledger, now);
    let first = ledger.put(number, &asked, Err(&never()), now);
    assert_eq!(first, Taken::Never { is_first: true });
    assert_eq!(ledger.stage(number, now), Stage::Refused);
    let at = ledger.next_at().unwrap();
    let (_, asked) = put(&mut ledger, at);
    let again = ledger.put(number, &asked, Err(&never()), at);
    assert_eq!(again, Taken::Never { is_first: false });
    // Another one may do.
    ledger.change(number, instance(1).version("2"), at).unwrap();
    let (_, asked) = put(&mut ledger, at);
    ledger.put(number, &asked, Ok(lease(1)), at);
    assert_eq!(ledger.stage(number, at), Stage::Registered);
}
