//! The registry in memory under a paused clock.

mod authority;
#[cfg(feature = "http")]
mod history;
mod identity;
mod preserving;

use std::{sync::Arc, time::Duration};

use msf_core::{
    clock,
    name::{InstanceId, ServiceName},
    testing::advance,
};
use proptest::prelude::*;

use super::{MemoryRegistry, SelfPreservation, state::State};
use crate::{
    backend::{Discovery, Registrar},
    error::RegistryError,
    model::{Change, Health, Instance, Renewal},
};

const TTL: Duration = Duration::from_secs(15);

fn payment() -> ServiceName {
    ServiceName::new("payment").unwrap()
}

fn instance(n: u16) -> Instance {
    let id = InstanceId::new(format!("p-{n:03}")).unwrap();
    Instance::new(payment(), id, ([127, 0, 0, 1], 8_000 + n).into())
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_exactly_when_its_time_is_over() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    advance(TTL - Duration::from_millis(1)).await;
    assert_eq!(registry.snapshot(&payment()).instances().len(), 1);
    advance(Duration::from_millis(1)).await;
    assert_eq!(registry.snapshot(&payment()).instances().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_wakes_at_the_expiry_and_not_later() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    let cursor = registry.snapshot(&payment()).cursor();
    let start = clock::now();
    let Ok(Change::Changed(after)) = registry.next(&payment(), cursor).await else {
        panic!("nothing changed");
    };
    assert!(after.instances().is_empty());
    assert!(clock::now() - start < TTL + Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_instance_renews_waits_on() {
    let registry = MemoryRegistry::builder()
        .wait_max(Duration::from_secs(100))
        .build();
    let lease = registry.register_now(&instance(1), TTL).unwrap();
    let cursor = registry.snapshot(&payment()).cursor();
    let renewing = async {
        for _ in 0..6 {
            tokio::time::sleep(TTL / 3).await;
            assert_eq!(registry.renew_now(&lease), Renewal::Renewed { ttl: TTL });
        }
        clock::now()
    };
    let service = payment();
    let (change, last) = tokio::join!(registry.next(&service, cursor), renewing);
    assert!(matches!(change, Ok(Change::Changed(after)) if after.instances().is_empty()));
    assert!(clock::now() >= last + TTL);
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_a_change_ends_at_its_limit() {
    let registry = MemoryRegistry::new();
    let cursor = registry.snapshot(&payment()).cursor();
    let start = clock::now();
    let change = registry
        .next_within(&payment(), cursor, Duration::from_secs(3_600))
        .await;
    assert_eq!(change, Change::Unchanged);
    let waited = clock::now() - start;
    assert!(
        waited >= Duration::from_secs(30) && waited < Duration::from_secs(31),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_warm_up_is_a_change_for_everybody() {
    let warm_up = Duration::from_secs(3);
    let registry = MemoryRegistry::builder().warm_up(warm_up).build();
    let cold = registry.snapshot(&payment());
    assert!(!cold.is_authoritative());
    let Ok(Change::Changed(warm)) = registry.next(&payment(), cold.cursor()).await else {
        panic!("nothing changed");
    };
    assert!(warm.is_authoritative());
    assert_ne!(warm.cursor(), cold.cursor());
}

#[tokio::test(start_paused = true)]
async fn health_is_kept_by_the_lease_and_wakes_waiters() {
    let registry = MemoryRegistry::new();
    let old = registry.register_now(&instance(1), TTL).unwrap();
    let cursor = registry.snapshot(&payment()).cursor();
    assert!(registry.set_health(&old, Health::Unhealthy));
    assert!(!registry.set_health(&old, Health::Unhealthy), "no news");
    let change = registry.next(&payment(), cursor).await.unwrap();
    let Change::Changed(snapshot) = change else {
        panic!("nothing changed");
    };
    assert_eq!(snapshot.instances()[0].health, Health::Unhealthy);

    let new = registry.register_now(&instance(1), TTL).unwrap();
    assert!(
        !registry.set_health(&old, Health::Healthy),
        "measured on its predecessor"
    );
    let kept = registry.snapshot(&payment()).instances()[0].health;
    assert_eq!(kept, Health::Unhealthy, "registering again heals nobody");
    registry.deregister_now(&new);
}

#[tokio::test(start_paused = true)]
async fn an_instance_at_another_address_is_unproven() {
    let registry = MemoryRegistry::new();
    let lease = registry.register_now(&instance(1), TTL).unwrap();
    registry.set_health(&lease, Health::Unhealthy);
    let moved = instance(1).moved_to(([127, 0, 0, 1], 9).into());
    registry.register_now(&moved, TTL).unwrap();
    assert_eq!(
        registry.snapshot(&payment()).instances()[0].health,
        Health::Unknown
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_registry_refuses_the_new_and_serves_the_old() {
    let registry = MemoryRegistry::builder().instances_max(2).build();
    let lease = registry.register_now(&instance(1), TTL).unwrap();
    registry.register_now(&instance(2), TTL).unwrap();
    let refused = registry.register_now(&instance(3), TTL);
    assert!(matches!(refused, Err(RegistryError::Full { .. })));
    registry.register_now(&instance(2), TTL).unwrap();
    registry.deregister_now(&lease);
    registry.register_now(&instance(3), TTL).unwrap();
    // What has expired in a service that nobody looks at makes room as well.
    advance(TTL).await;
    let elsewhere = ServiceName::new("user").unwrap();
    let mut user = instance(4);
    user.service = elsewhere;
    registry.register_now(&user, TTL).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_out_of_bounds_is_refused() {
    let registry = MemoryRegistry::new();
    for ttl in [
        Duration::ZERO,
        Duration::from_millis(99),
        Duration::from_secs(601),
    ] {
        let refused = registry.put(&instance(1), ttl).await;
        assert!(matches!(refused, Err(RegistryError::Ttl { .. })), "{ttl:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Register(u16, u64),
    Renew(usize),
    Deregister(usize),
    Advance(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u16..6, 1_u64..20).prop_map(|(n, ttl)| Step::Register(n, ttl)),
        (0_usize..40).prop_map(Step::Renew),
        (0_usize..40).prop_map(Step::Deregister),
        (0_u64..10).prop_map(Step::Advance),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// The registry against a list that is searched: the same instances at every moment, and a
    /// revision that moves exactly when they do.
    #[test]
    fn it_lists_what_holds_a_lease(steps in steps()) {
        let mut now = clock::now();
        let mut state = State::new(7, now, Duration::ZERO, 100, SelfPreservation::off());
        // Id, token, expiry, time to live; the newest lease of an id counts.
        let mut leases: Vec<(Arc<Instance>, u64, tokio::time::Instant, Duration)> = Vec::new();
        let mut last = state.view(&payment(), now).snapshot().clone();
        let mut token = 0;
        for step in steps {
            match step {
                Step::Register(n, ttl) => {
                    token += 1;
                    let (instance, ttl) = (instance(n), Duration::from_secs(ttl));
                    state.register(instance.clone(), token, ttl, now).unwrap();
                    leases.retain(|(held, ..)| held.id != instance.id);
                    leases.push((Arc::new(instance), token, now + ttl, ttl));
                }
                Step::Renew(n) => {
                    let id = instance(u16::try_from(n % 6).unwrap()).id;
                    let held = leases.iter_mut().find(|(held, _, at, _)| held.id == id && *at > now);
                    let known = held.as_ref().map_or(0, |(_, token, ..)| *token);
                    let renewed = state.renew(&payment(), &id, known, now);
                    prop_assert_eq!(renewed.is_some(), held.is_some());
                    if let Some((_, _, at, ttl)) = held { *at = now + *ttl; }
                }
                Step::Deregister(n) => {
                    let id = instance(u16::try_from(n % 6).unwrap()).id;
                    let known = leases.iter().find(|(held, ..)| held.id == id).map_or(0, |l| l.1);
                    state.deregister(&payment(), &id, known, now);
                    leases.retain(|(held, ..)| held.id != id);
                }
                Step::Advance(seconds) => now += Duration::from_secs(seconds),
            }
            leases.retain(|(.., at, _)| *at > now);
            leases.sort_by(|a, b| a.0.id.cmp(&b.0.id));
            let snapshot = state.view(&payment(), now).snapshot().clone();
            let listed: Vec<_> = snapshot.instances().iter().map(|m| m.instance.id.clone()).collect();
            let held: Vec<_> = leases.iter().map(|(held, ..)| held.id.clone()).collect();
            prop_assert_eq!(&listed, &held);
            prop_assert!(snapshot.cursor().revision() >= last.cursor().revision());
            if snapshot.cursor() == last.cursor() {
                prop_assert_eq!(snapshot.instances(), last.instances());
            }
            last = snapshot;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_vanishes_is_no_news_to_the_others() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    let cursor = registry.snapshot(&payment()).cursor();
    let mut other = instance(2);
    other.service = ServiceName::new("order").unwrap();
    let lease = registry.register_now(&other, TTL).unwrap();
    registry.deregister_now(&lease);
    let change = registry
        .next_within(&payment(), cursor, Duration::from_secs(1))
        .await;
    assert_eq!(change, Change::Unchanged);
}

#[cfg(feature = "http")]
#[tokio::test(start_paused = true)]
async fn a_warm_up_that_begins_later_takes_the_promise_back() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    assert!(registry.snapshot(&payment()).is_authoritative());
    registry.serve(TTL / 2);
    assert!(!registry.snapshot(&payment()).is_authoritative());
    advance(TTL / 2).await;
    assert!(registry.snapshot(&payment()).is_authoritative());
}

#[tokio::test(start_paused = true)]
async fn limits_without_end_are_taken() {
    let forever = Duration::MAX;
    let registry = MemoryRegistry::builder()
        .ttl_bounds(Duration::ZERO, forever)
        .wait_max(forever)
        .build();
    registry.register_now(&instance(1), forever).unwrap();
    let (service, cursor) = (payment(), registry.snapshot(&payment()).cursor());
    let asked = registry.next(&service, cursor);
    let year = Duration::from_secs(365 * 86_400);
    assert!(tokio::time::timeout(year, asked).await.is_err());
    assert!(!MemoryRegistry::builder().warm_up(forever).build().is_warm());
}
