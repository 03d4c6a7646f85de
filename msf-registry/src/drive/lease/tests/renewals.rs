//! When leases are renewed, together or spread, and what is tried again.

use super::*;

#[test]
fn a_lease_is_renewed_after_a_third_of_its_time_give_or_take_a_tenth() {
    let now = clock::now();
    let mut waits = Vec::new();
    for _ in 0..200 {
        let mut ledger = Ledger::new(TTL, fastrand::u64(..));
        let number = ledger.add(instance(1), now).unwrap();
        let (_, asked) = put(&mut ledger, now);
        ledger.put(number, &asked, Ok(lease(1)), now);
        waits.push(ledger.next_at().unwrap() - now);
    }
    let (min, max) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(
        *min >= TTL * 30 / 100 && *max <= TTL * 37 / 100,
        "{min:?} {max:?}"
    );
    assert!(*max - *min > TTL * 5 / 100, "they renew together");
}

#[test]
fn what_is_due_together_is_renewed_by_one_call_and_stays_together() {
    let mut now = clock::now();
    let mut ledger = listed(600, now);
    // Each has drawn a moment of its own; after a few turns they go along with each other.
    for _ in 0..6 {
        let by = now + TTL / 2;
        while let Some(at) = ledger.next_at().filter(|at| *at < by) {
            now = at;
            let batch = renewals(&mut ledger, now);
            ledger.renewed(&batch, &vec![OK; batch.len()], now);
        }
    }
    let (mut calls, until) = (0, now + TTL);
    while let Some(at) = ledger.next_at().filter(|at| *at < until) {
        let batch = renewals(&mut ledger, at);
        assert!(batch.len() <= 256);
        ledger.renewed(&batch, &vec![OK; batch.len()], at);
        calls += 1;
    }
    assert!(
        (3..60).contains(&calls),
        "{calls} calls renew 600 leases thrice"
    );
}

#[test]
fn answers_that_are_missing_count_as_no_answer() {
    let now = clock::now();
    let mut ledger = listed(2, now);
    let at = now + TTL;
    let batch = renewals(&mut ledger, at);
    assert_eq!(batch.len(), 2);
    assert!(ledger.renewed(&batch, &[OK], at).is_empty());
    assert_eq!(ledger.stage(batch[0], at), Stage::Registered);
    assert_eq!(ledger.stage(batch[1], at), Stage::Lost, "its time is over");
    assert!(ledger.next_at().unwrap() <= at + TTL / 2);
    // More than was asked for changes nothing.
    let later = at + TTL;
    let batch = renewals(&mut ledger, later);
    ledger.renewed(&batch, &[OK, OK, GONE, GONE], later);
    assert_eq!(ledger.stage(batch[0], later), Stage::Registered);
}

#[test]
fn those_forgotten_together_come_back_spread() {
    let now = clock::now();
    let mut ledger = listed(200, now);
    let mut at = now + TTL;
    let batch = renewals(&mut ledger, at);
    assert_eq!(batch.len(), 200);
    let lost = ledger.renewed(&batch, &vec![GONE; 200], at);
    assert_eq!(lost.len(), 200);
    let start = at;
    let mut halves = [0_u32; 2];
    while let Some(due) = ledger.next_at() {
        at = due;
        let Some(Call::Put(number, asked)) = ledger.call(at) else {
            break;
        };
        if at - start > TTL / 4 {
            break;
        }
        halves[usize::from(at - start > Duration::from_secs(1))] += 1;
        ledger.put(number, &asked, Ok(lease(0)), at);
    }
    assert_eq!(
        halves[0] + halves[1],
        200,
        "all within a quarter of the time to live"
    );
    assert!(halves[0] > 50 && halves[1] > 50, "{halves:?}");
}

#[test]
fn tries_are_spread_and_never_end() {
    let mut now = clock::now();
    let mut ledger = Ledger::new(TTL, 7);
    let number = ledger.add(instance(1), now).unwrap();
    let mut longest = Duration::ZERO;
    for n in 0..500 {
        let (_, asked) = put(&mut ledger, now);
        assert_eq!(ledger.put(number, &asked, Err(&away()), now), Taken::NotNow);
        let next = ledger.next_at().unwrap();
        longest = longest.max(next - now);
        assert!(next - now <= TTL / 2, "try {n}");
        now = next;
    }
    assert!(longest > TTL / 4);
    assert_eq!(ledger.stage(number, now), Stage::Pending);
}

#[test]
fn who_takes_over_a_driver_asks_again_what_it_had_asked() {
    let now = clock::now();
    let mut ledger = listed(2, now);
    let at = now + TTL;
    assert_eq!(renewals(&mut ledger, at).len(), 2);
    ledger.end(1, at, END);
    ledger.interrupted(at);
    assert_eq!(ledger.abandon_ending(), [1]);
    assert_eq!(renewals(&mut ledger, at), [0]);
}
