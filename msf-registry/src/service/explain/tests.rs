//! Explanations beside the picks that they explain.

use std::{num::NonZeroU16, sync::Arc};

use msf_core::{
    classify::Classification,
    clock,
    name::{InstanceId, ServiceName},
};

use proptest::prelude::*;

use crate::{
    balance::{Balance, LoadBalancing},
    explain::{Explanation, Reason},
    metrics::Picks,
    model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status},
    routing::{GroupKind, Why},
    service::{PickContext, State},
};

fn instance(n: u8) -> Instance {
    let service = ServiceName::new("payment").unwrap();
    let id = InstanceId::new(format!("p-{n}")).unwrap();
    Instance::new(service, id, ([10, 0, 0, n], 80).into())
}

fn state(rules: LoadBalancing, members: impl IntoIterator<Item = (Instance, Health)>) -> State {
    let service = ServiceName::new("payment").unwrap();
    let state = State::new(service.clone(), rules, Picks::noop());
    let members = members
        .into_iter()
        .map(|(i, health)| Member::new(Arc::new(i), health));
    let members: Vec<_> = members.collect();
    state.publish(Snapshot::new(
        service,
        Cursor::new(1, 7),
        Authority::Complete,
        members,
    ));
    state
}

fn healthy(len: u8) -> impl Iterator<Item = (Instance, Health)> {
    (0..len).map(|n| (instance(n), Health::Healthy))
}

fn whys(explanation: &Explanation) -> Vec<Reason> {
    explanation
        .candidates
        .iter()
        .map(|candidate| candidate.why)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_instance_has_its_reason() {
    let rules = LoadBalancing::new(Balance::RoundRobin);
    let members = [
        (instance(0), Health::Healthy),
        (instance(1), Health::Unhealthy),
        (instance(2).status(Status::Starting), Health::Unknown),
        (instance(3).status(Status::Draining), Health::Unknown),
        (instance(4).priority(1), Health::Unknown),
        (instance(5), Health::Unknown),
        (instance(6), Health::Unknown),
    ];
    let state = state(rules, members);
    let tried = [instance(6).id];
    let explained = state.explain(&PickContext::new().tried(&tried));
    assert_eq!((explained.revision, explained.balance), (7, "round_robin"));
    assert_eq!(explained.group, Some(GroupKind::Only));
    let reasons = whys(&explained);
    assert_eq!(reasons[1], Reason::NotRoutable(Why::Unhealthy));
    assert_eq!(reasons[2], Reason::NotRoutable(Why::Starting));
    assert_eq!(
        (reasons[3], reasons[4]),
        (Reason::NotNeeded, Reason::NotNeeded)
    );
    assert_eq!(reasons[6], Reason::Tried);
    let mut of_two = [reasons[0], reasons[5]];
    of_two.sort_by_key(|reason| *reason != Reason::Chosen);
    assert_eq!(of_two, [Reason::Chosen, Reason::NotItsTurn]);
}

#[tokio::test(start_paused = true)]
async fn round_robin_picks_what_was_explained() {
    let state = state(LoadBalancing::new(Balance::RoundRobin), healthy(5));
    for _ in 0..20 {
        let context = PickContext::new();
        let explained = state.explain(&context);
        assert_eq!(
            state.explain(&context),
            explained,
            "explaining changed something"
        );
        let picked = state.pick(&context).unwrap();
        assert_eq!(explained.chosen.as_ref(), Some(&picked.instance().id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hash_is_explained_by_its_owner() {
    for balance in [Balance::Maglev, Balance::RingHash, Balance::Rendezvous] {
        let state = state(LoadBalancing::new(balance).bounded_load(1.25), healthy(5));
        let context = PickContext::new().hash(42);
        let owner = state.explain(&context).chosen.unwrap();
        assert_eq!(state.pick(&context).unwrap().instance().id, owner);
        assert_eq!(
            whys(&state.explain(&context))
                .iter()
                .filter(|r| **r == Reason::OtherHash)
                .count(),
            4
        );
        // Once it has too many in flight, another one takes over.
        let _held: Vec<_> = (0..10).map(|_| state.pick(&context).unwrap()).collect();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let explained = state.explain(&context);
        assert_ne!(explained.chosen.as_ref(), Some(&owner), "{balance:?}");
        let of_owner = explained.candidates.iter().find(|c| c.id == owner).unwrap();
        assert_eq!(of_owner.why, Reason::Full, "{balance:?}: {explained}");
    }
}

#[tokio::test(start_paused = true)]
async fn scores_and_calls_are_shown() {
    let heavy = instance(1).weight(NonZeroU16::new(3).unwrap());
    let members = [(instance(0), Health::Healthy), (heavy, Health::Healthy)];
    let state = state(LoadBalancing::new(Balance::LeastRequest), members);
    let held: Vec<_> = (0..8)
        .map(|_| state.pick(&PickContext::new()).unwrap())
        .collect();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let explained = state.explain(&PickContext::new());
    let [light, heavy] = &*explained.candidates else {
        unreachable!("two are listed")
    };
    assert_eq!(light.in_flight + heavy.in_flight, 8);
    assert!(light.in_flight < heavy.in_flight, "by weight: {explained}");
    // The mean weight is 2.
    assert_eq!(light.score, Some(light.in_flight as f32 * 2.0));
    drop(held);
    assert_eq!(
        state.explain(&PickContext::new()).candidates[1].in_flight,
        0
    );
}

#[tokio::test(start_paused = true)]
async fn an_ejected_instance_is_explained_and_not_probed_by_it() {
    let state = state(
        LoadBalancing::new(Balance::RoundRobin).without_slow_start(),
        healthy(2),
    );
    for _ in 0..20 {
        let mut picked = state.pick(&PickContext::new()).unwrap();
        if picked.instance().id == instance(0).id {
            picked.record(&Classification::FAILURE);
        }
    }
    let _next = state.sweep(clock::now());
    assert_eq!(
        whys(&state.explain(&PickContext::new()))[0],
        Reason::NotRoutable(Why::Ejected)
    );
    tokio::time::advance(std::time::Duration::from_secs(15)).await;
    let _next = state.sweep(clock::now());
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let _next = state.sweep(clock::now());
    for _ in 0..10 {
        let explained = state.explain(&PickContext::new());
        assert_eq!(
            whys(&explained),
            [Reason::Probing, Reason::Chosen],
            "{explained}"
        );
    }
    let calls: Vec<_> = (0..10)
        .map(|_| state.pick(&PickContext::new()).unwrap())
        .collect();
    let probes = calls
        .iter()
        .filter(|picked| picked.instance().id == instance(0).id);
    assert_eq!(probes.count(), 1);
}

fn any_members() -> impl Strategy<Value = Vec<Option<(usize, usize, u8)>>> {
    let member = (0_usize..4, 0_usize..5, 0_u8..2);
    proptest::collection::vec(proptest::option::weighted(0.8, member), 6)
}

fn published(state: &State, listed: &[Option<(usize, usize, u8)>], is_failover: bool) {
    let healths = [
        Health::Healthy,
        Health::Unknown,
        Health::Healthy,
        Health::Unhealthy,
    ];
    let statuses = [
        Status::Up,
        Status::Up,
        Status::Up,
        Status::Draining,
        Status::OutOfService,
    ];
    let members = (0..).zip(listed).filter_map(|(n, member)| {
        let (health, status, priority) = (*member)?;
        let priority = if is_failover { priority } else { 0 };
        let instance = instance(n).status(statuses[status]).priority(priority);
        Some(Member::new(Arc::new(instance), healths[health]))
    });
    let members: Vec<_> = members.collect();
    let cursor = Cursor::new(1, 8);
    let service = state.service().clone();
    state.publish(Snapshot::new(service, cursor, Authority::Explicit, members));
}

proptest! {
    /// Where no luck decides, whatever is listed, starts slowly, was tried: what is explained is what is picked.
    #[test]
    fn what_is_explained_is_what_is_picked(
        balance in proptest::sample::select(vec![
            Balance::RoundRobin, Balance::RingHash, Balance::Maglev, Balance::Rendezvous,
        ]),
        lists in proptest::collection::vec(any_members(), 1..3),
        tried in proptest::collection::vec(0_u8..6, 0..4),
        keys in proptest::collection::vec(any::<u64>(), 10),
    ) {
        let state = state(LoadBalancing::new(balance), []);
        // Which of several groups it is, is luck without a key.
        lists.iter().for_each(|list| published(&state, list, balance != Balance::RoundRobin));
        let tried: Vec<_> = tried.into_iter().map(|n| instance(n).id).collect();
        for key in keys {
            let context = PickContext::new().hash(key).tried(&tried);
            let explained = state.explain(&context);
            let picked = state.pick(&context).ok();
            let id = picked.as_ref().map(|picked| &picked.instance().id);
            prop_assert_eq!(explained.chosen.as_ref(), id, "{}", explained);
            prop_assert_eq!(explained.group.is_some(), id.is_some());
            for candidate in &explained.candidates {
                prop_assert_eq!(candidate.why == Reason::Chosen, Some(&candidate.id) == id);
                prop_assert!(candidate.why != Reason::Tried || tried.contains(&candidate.id));
                prop_assert!(candidate.why != Reason::Full, "there is no bound: {}", explained);
            }
        }
    }
}

#[test]
fn nobody_is_explained_too() {
    let state = state(
        LoadBalancing::default(),
        [(instance(0).status(Status::Down), Health::Healthy)],
    );
    let explained = state.explain(&PickContext::new());
    assert_eq!((explained.group, explained.chosen.clone()), (None, None));
    assert_eq!(whys(&explained), [Reason::NotRoutable(Why::Down)]);
    assert!(
        explained.to_string().contains("nobody can be called"),
        "{explained}"
    );
}
