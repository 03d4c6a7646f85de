//! Calls that begin, end and move between threads while lists change.

use std::{sync::mpsc, thread};

use proptest::prelude::*;

use super::*;

fn in_flight(state: &State) -> u32 {
    let table = state.table();
    (0..table.seats.len())
        .map(|seat| table.in_flight(seat))
        .sum()
}

#[test]
fn a_call_may_end_on_another_thread() {
    for balance in ALL {
        let state = state(balance, unknown(3));
        let (send, receive) = mpsc::channel::<Picked>();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (state, send) = (&state, send.clone());
                scope.spawn(move || {
                    for _ in 0..500 {
                        send.send(pick(state).unwrap()).unwrap();
                    }
                });
            }
            drop(send);
            scope.spawn(move || {
                for (n, mut picked) in receive.into_iter().enumerate() {
                    if n % 2 == 0 {
                        picked.record(&Classification::SUCCESS);
                    }
                }
            });
        });
        assert_eq!(in_flight(&state), 0, "{balance:?}");
    }
}

#[test]
fn every_pick_is_counted_once_whichever_thread_made_it() {
    let metrics = Picks::noop();
    let state = State::new(payment(), Balance::RoundRobin.into(), metrics.clone());
    state.publish(unknown(3));
    // More threads than lanes, so that some share one.
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| (0..1_000).for_each(|_| drop(pick(&state).unwrap())));
        }
    });
    state.tell_picks();
    assert_eq!(metrics.counted(), [40_000, 0, 0, 0, 0]);
    state.publish(unknown(0));
    pick(&state).unwrap_err();
    drop(state);
    let told_at_the_end = metrics.counted();
    assert_eq!(told_at_the_end, [40_000, 0, 0, 0, 1]);
}

#[test]
fn what_one_thread_learns_the_others_know_at_once() {
    let state = state(Balance::PeakEwma, unknown(2));
    let _warm = picked(&state, 50);
    let mut refused = pick(&state).unwrap();
    let dead = port(&refused);
    refused.record(&Classification::FAILURE);
    drop(refused);
    let elsewhere = thread::scope(|scope| scope.spawn(|| picked(&state, 100)).join().unwrap());
    assert_eq!(elsewhere, BTreeSet::from([1 - dead]));
}

#[tokio::test(start_paused = true)]
async fn calls_of_other_threads_are_seen_within_a_tick() {
    let state = state(Balance::LeastRequest, unknown(2));
    let held: Vec<Picked> = thread::scope(|scope| {
        let other = scope.spawn(|| (0..10).map(|_| pick(&state).unwrap()).collect());
        other.join().unwrap()
    });
    advance(Duration::from_millis(10)).await;
    let busy = held.iter().filter(|picked| port(picked) == 0).count();
    assert!((1..10).contains(&busy), "the first ten were spread: {busy}");
    let more: Vec<Picked> = (0..10).map(|_| pick(&state).unwrap()).collect();
    let total = held
        .iter()
        .chain(&more)
        .filter(|picked| port(picked) == 0)
        .count();
    assert!((9..=11).contains(&total), "{total}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_leaves_nothing_in_flight() {
    let state = Arc::new(state(Balance::PeakEwma, unknown(1)));
    let call = async {
        let _picked = pick(&state).unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    let given_up = tokio::time::timeout(Duration::from_secs(1), call).await;
    assert!(given_up.is_err());
    assert_eq!(in_flight(&state), 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_says_about_itself_changes_nothing_that_is_known() {
    let state = state(Balance::PeakEwma, unknown(1));
    let _call = picked(&state, 3);
    let before = state.table();
    state.publish(listed([(
        instance(0).metadata("zone", "b"),
        Health::Healthy,
    )]));
    let after = state.table();
    assert!(Arc::ptr_eq(&before.seats[0].host, &after.seats[0].host));
    assert_eq!(
        after.successes(0),
        3,
        "a count that fell would be taken for one that wrapped"
    );
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_describes_itself_anew_has_not_become_idle() {
    let state = state(Balance::LeastRequest, unknown(2));
    let described = |text| {
        let anew = (instance(0).metadata("load", text), Health::Unknown);
        listed([anew, (instance(1), Health::Unknown)])
    };
    let mut held: Vec<Picked> = (0..20).map(|_| pick(&state).unwrap()).collect();
    for text in ["a", "b", "c"] {
        state.publish(described(text));
        advance(Duration::from_millis(10)).await;
        let of = |held: &[Picked], n| held.iter().filter(|p| port(p) == n).count();
        assert_eq!(state.table().in_flight(0) as usize, of(&held, 0), "{text}");
        held.extend((0..20).map(|_| pick(&state).unwrap()));
        assert!(of(&held, 0).abs_diff(of(&held, 1)) <= 2, "{text}");
    }
    drop(held);
    assert_eq!(in_flight(&state), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Pick,
    Record(usize),
    Drop(usize),
    List(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Pick),
        2 => any::<usize>().prop_map(Step::Record),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => (1_u16..8).prop_map(Step::List),
    ]
}

proptest! {
    /// Whatever happens in which order, an instance that stayed listed has as many calls in flight as are held.
    #[test]
    fn calls_in_flight_are_those_that_are_held(
        steps in proptest::collection::vec(step(), 1..200),
        balance in 0..ALL.len(),
    ) {
        let state = state(ALL[balance], unknown(4));
        let mut held: Vec<(Picked, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Pick => held.push((pick(&state).unwrap(), true)),
                Step::Record(n) if !held.is_empty() => {
                    let n = n % held.len();
                    held[n].0.record(&Classification::SUCCESS);
                }
                Step::Drop(n) if !held.is_empty() => {
                    let n = n % held.len();
                    drop(held.swap_remove(n));
                }
                Step::List(count) => {
                    state.publish(unknown(count));
                    // One that leaves and comes back is another one.
                    for (picked, is_listed) in &mut held {
                        *is_listed &= port(picked) < count;
                    }
                }
                Step::Record(_) | Step::Drop(_) => {}
            }
            let table = state.table();
            for seat in 0..table.seats.len() {
                let calls = held.iter().filter(|(picked, is_listed)| {
                    *is_listed && picked.instance().id == table.instances[seat].id
                });
                prop_assert_eq!(table.in_flight(seat) as usize, calls.count());
            }
        }
    }
}
