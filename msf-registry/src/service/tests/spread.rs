//! Who gets which share of the calls.

use super::*;
use crate::balance::{SlowStart, Subset};

fn weighted(weights: &[u16]) -> Snapshot {
    let instances = (0..).zip(weights).map(|(n, weight)| {
        let weight = NonZeroU16::new(*weight).unwrap();
        (instance(n).weight(weight), Health::Unknown)
    });
    listed(instances)
}

/// The part of `calls` calls that each instance got, each of which is answered at once.
fn shares(state: &State, calls: u32) -> Vec<f64> {
    let mut counts = vec![0_u32; state.table().seats.len()];
    for key in 0..calls {
        let context = PickContext::new().key(&key.to_le_bytes());
        let mut picked = state.pick(&context).unwrap();
        picked.record(&Classification::SUCCESS);
        counts[usize::from(port(&picked))] += 1;
    }
    counts
        .iter()
        .map(|n| f64::from(*n) / f64::from(calls))
        .collect()
}

fn close(shares: &[f64], expected: &[f64], what: impl std::fmt::Debug) {
    for (share, expected) in shares.iter().zip(expected) {
        let bound = expected * 0.12 + 0.005;
        assert!((share - expected).abs() < bound, "{what:?}: {shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_instances_share_by_weight_under_every_policy() {
    for balance in ALL {
        // A ring is uneven by nature: tested where it is made.
        if balance == Balance::RingHash {
            continue;
        }
        let even = state(balance, weighted(&[1; 5]));
        close(&shares(&even, 20_000), &[0.2; 5], balance);
        let uneven = state(balance, weighted(&[1, 2, 3, 4]));
        close(&shares(&uneven, 20_000), &[0.1, 0.2, 0.3, 0.4], balance);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_spread_by_weight() {
    for balance in [Balance::LeastRequest, Balance::PeakEwma] {
        let state = state(balance, weighted(&[1, 3]));
        let held: Vec<Picked> = (0..400).map(|_| pick(&state).unwrap()).collect();
        let light = held.iter().filter(|picked| port(picked) == 0).count();
        assert!((85..=115).contains(&light), "{balance:?}: {light}");
    }
}

#[tokio::test(start_paused = true)]
async fn least_request_keeps_away_from_the_busy() {
    let state = state(Balance::LeastRequest, unknown(2));
    let first: Vec<Picked> = (0..20).map(|_| pick(&state).unwrap()).collect();
    let (zero, one): (Vec<_>, Vec<_>) = first.into_iter().partition(|p| port(p) == 0);
    assert!(zero.len().abs_diff(one.len()) <= 2);
    drop(one);
    for _ in 0..50 {
        assert_eq!(port(&pick(&state).unwrap()), 1);
    }
    drop(zero);
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_gets_its_share_little_by_little() {
    for balance in ALL {
        if matches!(balance, Balance::RingHash) {
            continue;
        }
        let rules = LoadBalancing::new(balance).slow_start(SlowStart::default());
        let state = with(rules, unknown(4));
        close(
            &shares(&state, 8_000),
            &[0.25; 4],
            "the first list is not new",
        );
        state.publish(unknown(5));
        let joined = |state: &State| shares(state, 20_000)[4];
        let at_first = joined(&state);
        assert!((0.01..0.05).contains(&at_first), "{balance:?}: {at_first}");
        advance(Duration::from_secs(15)).await;
        let half = joined(&state);
        assert!((0.07..0.16).contains(&half), "{balance:?}: {half}");
        advance(Duration::from_secs(16)).await;
        let full = joined(&state);
        assert!((0.17..0.23).contains(&full), "{balance:?}: {full}");
        assert!(state.table().is_calm(), "nobody needs care any more");
    }
}

#[tokio::test(start_paused = true)]
async fn while_all_are_new_nobody_starts_slowly() {
    let state = state(Balance::Random, unknown(0));
    state.publish(unknown(3));
    assert!(state.table().is_calm());
    close(&shares(&state, 9_000), &[1.0 / 3.0; 3], "all new");
}

#[tokio::test(start_paused = true)]
async fn what_a_new_one_does_not_get_is_shared_by_all_others() {
    for balance in [Balance::RoundRobin, Balance::Random, Balance::LeastRequest] {
        let state = state(balance, unknown(4));
        state.publish(unknown(5));
        let shares = shares(&state, 20_000);
        close(
            &shares[..4],
            &[0.245; 4],
            (balance, "of those that were there"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nine_new_ones_beside_one_that_is_warm_get_a_tenth_of_its_share_each() {
    for balance in [Balance::RoundRobin, Balance::Random] {
        let state = state(balance, unknown(1));
        state.publish(unknown(10));
        let shares = shares(&state, 20_000);
        assert!((0.45..0.60).contains(&shares[0]), "{balance:?}: {shares:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_all_start_slowly_a_newer_one_gets_less_than_the_older() {
    let state = state(Balance::Random, unknown(0));
    state.publish(unknown(3));
    advance(Duration::from_secs(20)).await;
    state.publish(unknown(4));
    let shares = shares(&state, 20_000);
    // 0.1 to 0.67.
    assert!((0.03..0.07).contains(&shares[3]), "{shares:?}");
    close(&shares[..3], &[0.317; 3], "the older ones");
}

#[tokio::test(start_paused = true)]
async fn one_key_does_not_decide_who_starts_where_nobody_hashes() {
    let state = state(Balance::Random, unknown(4));
    state.publish(unknown(5));
    let context = PickContext::new().key(b"the only one");
    let calls = (0..4_000).map(|_| port(&state.pick(&context).unwrap()));
    let of_new = calls.filter(|port| *port == 4).count();
    assert!((20..250).contains(&of_new), "{of_new} of 4000");
}

#[tokio::test(start_paused = true)]
async fn a_subset_is_all_that_is_called() {
    let rules = LoadBalancing::new(Balance::Random).subset(Subset::of(3).seed("checkout-1"));
    let state = with(rules, unknown(20));
    let seen = picked(&state, 2_000);
    assert_eq!(seen.len(), 3);
    assert_eq!(
        state.snapshot().instances().len(),
        20,
        "all are still listed"
    );
    state.publish(unknown(20));
    assert_eq!(picked(&state, 2_000), seen);
}

#[tokio::test(start_paused = true)]
async fn equal_keys_go_to_one_instance_and_on_to_one_other() {
    for balance in [Balance::RingHash, Balance::Maglev, Balance::Rendezvous] {
        let state = state(balance, unknown(10));
        let mut firsts = BTreeSet::new();
        for user in 0..100_u32 {
            let key = user.to_le_bytes();
            let context = PickContext::new().key(&key);
            let first = state.pick(&context).unwrap();
            assert_eq!(port(&state.pick(&context).unwrap()), port(&first));
            let tried = [first.instance().id.clone()];
            let second = state.pick(&context.tried(&tried)).unwrap();
            assert_ne!(port(&second), port(&first), "{balance:?}");
            let again = state.pick(&context.tried(&tried)).unwrap();
            assert_eq!(port(&again), port(&second), "{balance:?}");
            firsts.insert(port(&first));
        }
        assert!(firsts.len() > 6, "{balance:?}: {firsts:?}");
        assert!(picked(&state, 300).len() > 6, "without a key anywhere");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_everybody_asks_for_is_spread_under_a_bound() {
    for balance in [Balance::RingHash, Balance::Maglev, Balance::Rendezvous] {
        let state = with(LoadBalancing::new(balance).bounded_load(1.25), unknown(4));
        let context = PickContext::new().key(b"everybody's");
        let mut held = Vec::new();
        for _ in 0..40 {
            for _ in 0..10 {
                held.push(state.pick(&context).unwrap());
            }
            // The sum of all calls is as of some milliseconds ago.
            advance(Duration::from_millis(10)).await;
        }
        let mut counts = [0_usize; 4];
        held.iter()
            .for_each(|picked| counts[usize::from(port(picked))] += 1);
        let most = *counts.iter().max().unwrap();
        assert!(most <= 126, "{balance:?}: {counts:?}");
        assert!(
            most > 100,
            "{balance:?}: it goes where it belongs first: {counts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_calls_gets_none_even_if_nobody_else_is_left() {
    for balance in ALL {
        let closed = [Status::OutOfService, Status::Starting, Status::Down];
        let mut members: Vec<Member> = (0..)
            .zip(closed)
            .map(|(n, status)| {
                let member = Member::new(Arc::new(instance(n)), Health::Healthy);
                member.operator_status(Some(status))
            })
            .collect();
        let only_closed = Snapshot::new(
            payment(),
            Cursor::new(1, 1),
            Authority::Complete,
            members.clone(),
        );
        let state = state(balance, only_closed);
        let none = pick(&state).unwrap_err();
        assert_eq!(none.reason, NoEndpointsReason::NoneAvailable, "{balance:?}");
        members.push(Member::new(Arc::new(instance(3)), Health::Healthy));
        state.publish(Snapshot::new(
            payment(),
            Cursor::new(1, 2),
            Authority::Complete,
            members,
        ));
        assert_eq!(picked(&state, 50), BTreeSet::from([3]), "{balance:?}");
        let none = pick_excluding(&state, &[instance(3).id]).unwrap_err();
        assert_eq!(none.reason, NoEndpointsReason::AllExcluded, "{balance:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_picked_from_evenly() {
    let state = state(Balance::Random, unknown(3_000));
    let seen = picked(&state, 30_000);
    assert!(seen.len() > 2_990, "{}", seen.len());
}
