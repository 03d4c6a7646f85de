//! Picking, from tables that the test publishes.

mod life;
mod simulation;
mod spread;

use std::{collections::BTreeSet, num::NonZeroU16, sync::Arc, time::Duration};

use msf_core::{
    classify::Classification,
    name::{InstanceId, ServiceName},
    testing::{advance, allocations},
};

use super::{NoEndpoints, NoEndpointsReason, PickContext, Picked, State};
use crate::{
    balance::{Balance, LoadBalancing},
    metrics::Picks,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status},
};

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

fn listed(instances: impl IntoIterator<Item = (Instance, Health)>) -> Snapshot {
    let members: Vec<Member> = instances
        .into_iter()
        .map(|(instance, health)| Member::new(Arc::new(instance), health))
        .collect();
    Snapshot::new(payment(), Cursor::new(1, 1), Authority::Complete, members)
}

fn unknown(count: u16) -> Snapshot {
    listed((0..count).map(|n| (instance(n), Health::Unknown)))
}

fn state(balance: Balance, snapshot: Snapshot) -> State {
    with(LoadBalancing::new(balance), snapshot)
}

fn with(rules: LoadBalancing, snapshot: Snapshot) -> State {
    let state = State::new(payment(), rules, Picks::noop());
    state.publish(snapshot);
    state
}

fn pick(state: &State) -> Result<Picked, NoEndpoints> {
    state.pick(&PickContext::new())
}

fn pick_excluding(state: &State, tried: &[InstanceId]) -> Result<Picked, NoEndpoints> {
    state.pick(&PickContext::new().tried(tried))
}

fn port(picked: &Picked) -> u16 {
    picked.addr().port() - 8_000
}

/// Instances that were picked in so many calls, each of which is answered at once.
fn picked(state: &State, calls: usize) -> BTreeSet<u16> {
    let mut seen = BTreeSet::new();
    for _ in 0..calls {
        let mut picked = pick(state).unwrap();
        picked.record(&Classification::SUCCESS);
        seen.insert(port(&picked));
    }
    seen
}

const ALL: [Balance; 7] = [
    Balance::PeakEwma,
    Balance::LeastRequest,
    Balance::RoundRobin,
    Balance::Random,
    Balance::RingHash,
    Balance::Maglev,
    Balance::Rendezvous,
];

#[tokio::test(start_paused = true)]
async fn nobody_is_told_apart_from_nothing_known() {
    for balance in ALL {
        let state = State::new(payment(), balance.into(), Picks::noop());
        assert_eq!(
            pick(&state).unwrap_err().reason,
            NoEndpointsReason::NotYetKnown
        );
        state.publish(unknown(0));
        assert_eq!(
            pick(&state).unwrap_err().reason,
            NoEndpointsReason::NoneRegistered
        );
        state.publish(unknown(1));
        assert_eq!(port(&pick(&state).unwrap()), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_unhealthy_are_not_picked() {
    for balance in ALL {
        let all = (0..6).map(|n| {
            let health = if n % 2 == 0 {
                Health::Unhealthy
            } else {
                Health::Healthy
            };
            (instance(n), health)
        });
        let state = state(balance, listed(all));
        assert_eq!(picked(&state, 500), BTreeSet::from([1, 3, 5]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pick_beside_the_first_choice_counts_as_a_spill() {
    for balance in ALL {
        let metrics = Picks::noop();
        let state = State::new(payment(), balance.into(), metrics.clone());
        let level = |n: u16, health| (instance(n).priority(u8::from(n > 0)), health);
        state.publish(listed([
            level(0, Health::Healthy),
            level(1, Health::Healthy),
        ]));
        drop(pick(&state).unwrap());
        let tried = [instance(0).id];
        let second = pick_excluding(&state, &tried).unwrap();
        assert_eq!(port(&second), 1, "{balance:?}");
        state.tell_picks();
        assert_eq!(metrics.counted(), [1, 0, 1, 0, 0], "{balance:?}: a retry");
        state.publish(listed([
            level(0, Health::Unhealthy),
            level(1, Health::Healthy),
        ]));
        drop(pick(&state).unwrap());
        state.tell_picks();
        assert_eq!(metrics.counted(), [1, 0, 2, 0, 0], "{balance:?}: fail over");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_are_unhealthy_all_are_picked() {
    for balance in ALL {
        let metrics = Picks::noop();
        let state = State::new(payment(), balance.into(), metrics.clone());
        state.publish(listed((0..4).map(|n| (instance(n), Health::Unhealthy))));
        // Peak EWMA may keep to the quickest, so calls overlap here.
        let held: Vec<Picked> = (0..200).map(|_| pick(&state).unwrap()).collect();
        let seen: BTreeSet<u16> = held.iter().map(port).collect();
        assert_eq!(seen, BTreeSet::from([0, 1, 2, 3]));
        state.tell_picks();
        assert_eq!(metrics.counted(), [0, 200, 0, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn round_robin_goes_round_by_weight() {
    let weighted = |n, weight| instance(n).weight(NonZeroU16::new(weight).unwrap());
    let even = state(Balance::RoundRobin, unknown(5));
    let mut counts = [0; 5];
    (0..50).for_each(|_| counts[usize::from(port(&pick(&even).unwrap()))] += 1);
    assert_eq!(counts, [10; 5]);

    let all = [weighted(0, 3), weighted(1, 1)].map(|i| (i, Health::Healthy));
    let uneven = state(Balance::RoundRobin, listed(all));
    let mut counts = [0; 2];
    (0..40).for_each(|_| counts[usize::from(port(&pick(&uneven).unwrap()))] += 1);
    assert_eq!(counts, [30, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_flight_until_it_is_dropped() {
    let state = state(Balance::PeakEwma, unknown(1));
    let in_flight = || {
        let table = state.table();
        table.in_flight(0)
    };
    assert_eq!(in_flight(), 0);
    let mut first = pick(&state).unwrap();
    let second = pick(&state).unwrap();
    first.record(&Classification::SUCCESS);
    assert_eq!(in_flight(), 2, "the body has not ended");
    drop(first);
    state.publish(unknown(1));
    assert_eq!(in_flight(), 1, "another list forgets no call");
    drop(second);
    assert_eq!(in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_keeps_callers_away_at_once() {
    let state = state(Balance::PeakEwma, unknown(2));
    let _warm = picked(&state, 50);
    let mut refused = pick(&state).unwrap();
    let dead = port(&refused);
    refused.record(&Classification::FAILURE);
    drop(refused);
    let alive = BTreeSet::from([1 - dead]);
    assert_eq!(picked(&state, 1_000), alive);
    // Busy is still better than dead.
    let _busy: Vec<Picked> = (0..20).map(|_| pick(&state).unwrap()).collect();
    advance(Duration::from_secs(5)).await;
    assert_eq!(picked(&state, 1), alive);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_throttles_its_callers_is_no_favourite() {
    let state = state(Balance::PeakEwma, unknown(2));
    let throttled = Classification::IGNORE.throttled(true);
    let mut calls = [0; 2];
    for _ in 0..1_000 {
        let mut picked = pick(&state).unwrap();
        let at = usize::from(port(&picked));
        calls[at] += 1;
        advance(Duration::from_millis(if at == 0 { 1 } else { 50 })).await;
        let outcome = if at == 0 {
            &throttled
        } else {
            &Classification::SUCCESS
        };
        picked.record(outcome);
    }
    assert!(calls[0] < 100, "{calls:?}");
    assert!(calls[0] > 0, "it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_forgiven_in_time_and_at_once_by_a_health_check() {
    let rules = LoadBalancing::new(Balance::PeakEwma).without_slow_start();
    let state = with(rules, unknown(2));
    // Both are unknown, so the second call goes to the other one.
    let mut calls = [pick(&state).unwrap(), pick(&state).unwrap()];
    calls.sort_by_key(port);
    calls[0].record(&Classification::FAILURE);
    calls[1].record(&Classification::SUCCESS);
    drop(calls);
    assert_eq!(picked(&state, 200), BTreeSet::from([1]));
    let estimate = state.table().seats[0].host.cost.seconds(60_000).unwrap();
    assert!(estimate < 0.015, "{estimate} s after a minute");
    let zero = |health| listed([(instance(0), health), (instance(1), Health::Healthy)]);
    state.publish(zero(Health::Unhealthy));
    state.publish(zero(Health::Healthy));
    assert_eq!(port(&pick(&state).unwrap()), 0, "it has to be tried anew");
}

#[tokio::test(start_paused = true)]
async fn the_latency_is_from_the_pick_to_the_first_record() {
    let state = state(Balance::PeakEwma, unknown(1));
    advance(Duration::from_secs(9)).await;
    let mut picked = pick(&state).unwrap();
    advance(Duration::from_millis(200)).await;
    picked.record(&Classification::SUCCESS);
    advance(Duration::from_millis(500)).await;
    picked.record(&Classification::FAILURE);
    drop(picked);
    let host = Arc::clone(&state.table().seats[0].host);
    let seconds = host.cost.seconds(9_200).unwrap();
    assert!((seconds - 0.2).abs() < 1e-4, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_that_was_given_up_raises_the_estimate() {
    let state = state(Balance::PeakEwma, unknown(2));
    let _warm = picked(&state, 50);
    let slow = pick(&state).unwrap();
    let n = port(&slow);
    advance(Duration::from_secs(2)).await;
    drop(slow);
    assert_eq!(picked(&state, 100), BTreeSet::from([1 - n]));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_belongs_to_id_and_address() {
    let state = state(Balance::PeakEwma, unknown(1));
    let _call = picked(&state, 1);
    let estimate = || {
        let table = state.table();
        table.seats[0].host.cost.seconds(0)
    };
    assert!(estimate().is_some());
    let relabelled = instance(0).metadata("zone", "b");
    state.publish(listed([(relabelled.clone(), Health::Healthy)]));
    assert!(estimate().is_some(), "the same process");
    assert_eq!(pick(&state).unwrap().instance(), &relabelled);
    let mut moved = instance(0);
    moved = moved.moved_to(([127, 0, 0, 1], 9_000).into());
    state.publish(listed([(moved, Health::Healthy)]));
    assert!(estimate().is_none(), "another process");
}

#[tokio::test(start_paused = true)]
async fn the_excluded_are_not_picked_again() {
    for balance in ALL {
        let state = state(balance, unknown(4));
        let ids = |numbers: &[u16]| -> Vec<InstanceId> {
            numbers.iter().map(|n| instance(*n).id).collect()
        };
        for _ in 0..200 {
            let other = pick_excluding(&state, &ids(&[0, 1, 3])).unwrap();
            assert_eq!(port(&other), 2);
        }
        let none = pick_excluding(&state, &ids(&[0, 1, 2, 3])).unwrap_err();
        assert_eq!(none.reason, NoEndpointsReason::AllExcluded);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_one_is_better_than_none() {
    for balance in ALL {
        let all = [
            (instance(0), Health::Healthy),
            (instance(1), Health::Unhealthy),
        ];
        let state = state(balance, listed(all));
        let other = pick_excluding(&state, &[instance(0).id]).unwrap();
        assert_eq!(port(&other), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_works_is_better_than_an_unhealthy_one() {
    for balance in ALL {
        let mut all: Vec<_> = (0..8).map(|n| (instance(n), Health::Healthy)).collect();
        all.extend((8..10).map(|n| (instance(n), Health::Unhealthy)));
        // A priority that is not needed.
        all.push((instance(10).priority(1), Health::Healthy));
        let state = state(balance, listed(all));
        let tried: Vec<_> = (0..8).map(|n| instance(n).id).collect();
        for _ in 0..50 {
            assert_eq!(port(&pick_excluding(&state, &tried).unwrap()), 10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_called_without_panic_is_not_called_by_a_retry_either() {
    for balance in ALL {
        let rules = LoadBalancing::new(balance).panic_threshold(0.0);
        let state = with(rules, listed([(instance(0), Health::Unhealthy)]));
        let tried = [instance(1).id];
        for picked in [pick(&state), pick_excluding(&state, &tried)] {
            let reason = picked.unwrap_err().reason;
            assert_eq!(reason, NoEndpointsReason::NoneAvailable, "{balance:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_that_hangs_gets_one_call_a_second_of_callers_that_do_not_wait() {
    let state = state(Balance::PeakEwma, unknown(2));
    let mut to_bad = 0;
    for _ in 0..1_000 {
        let mut picked = pick(&state).unwrap();
        if port(&picked) == 0 {
            to_bad += 1;
            advance(Duration::from_millis(500)).await;
        } else {
            advance(Duration::from_millis(10)).await;
            picked.record(&Classification::SUCCESS);
        }
    }
    // A second is a hundred calls.
    assert!((5..=15).contains(&to_bad), "{to_bad} of 1000");
}

#[tokio::test(start_paused = true)]
async fn after_an_idle_hour_an_instance_that_hangs_does_not_get_all_calls() {
    let state = state(Balance::PeakEwma, unknown(2));
    let _warm = picked(&state, 20);
    let mut both = [pick(&state).unwrap(), pick(&state).unwrap()];
    advance(Duration::from_millis(10)).await;
    both.iter_mut()
        .for_each(|p| p.record(&Classification::SUCCESS));
    drop(both);
    advance(Duration::from_secs(3_600)).await;
    let mut hanging = Vec::new();
    for _ in 0..1_000 {
        let mut picked = pick(&state).unwrap();
        advance(Duration::from_millis(1)).await;
        if port(&picked) == 0 {
            hanging.push(picked);
        } else {
            picked.record(&Classification::SUCCESS);
        }
    }
    assert!(hanging.len() < 20, "{} of 1000", hanging.len());
}

#[tokio::test(start_paused = true)]
async fn a_pick_allocates_nothing() {
    for balance in ALL {
        let state = state(balance, unknown(100));
        let excluded = [instance(7).id];
        let _warm = picked(&state, 10);
        let cost = allocations(|| {
            for _ in 0..100 {
                let mut picked = pick(&state).unwrap();
                picked.record(&Classification::SUCCESS);
                drop(picked);
                drop(pick_excluding(&state, &excluded).unwrap());
            }
        });
        assert_eq!(cost.count, 0, "{balance:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ready_waits_for_the_first_instance_and_no_longer_than_told() {
    let state = Arc::new(State::new(
        payment(),
        Balance::PeakEwma.into(),
        Picks::noop(),
    ));
    let late = state.ready(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(late.reason, NoEndpointsReason::NotYetKnown);
    let publishing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        state.publish(unknown(0));
        tokio::time::sleep(Duration::from_millis(100)).await;
        state.publish(unknown(1));
    };
    let (ready, ()) = tokio::join!(state.ready(Duration::from_secs(1)), publishing);
    assert_eq!(ready, Ok(()));
}

const fn is_static_and_send<T: Send + 'static>() {}
const _: () = is_static_and_send::<Picked>();
