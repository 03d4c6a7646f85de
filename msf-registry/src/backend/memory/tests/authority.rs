//! How far a list is vouched for.

use std::time::Duration;

use msf_core::{
    name::{InstanceId, ServiceName},
    testing::advance,
};

use super::{TTL, instance, payment};
use crate::{
    backend::memory::MemoryRegistry,
    model::{Authority, Instance, Status},
};

fn authority(registry: &MemoryRegistry) -> Authority {
    registry.snapshot(&payment()).authority()
}

const HOLD: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn whoever_deregisters_leaves_a_list_that_is_believed_at_once() {
    let registry = MemoryRegistry::new();
    assert_eq!(
        authority(&registry),
        Authority::Complete,
        "it has just begun"
    );
    let lease = registry.register_now(&instance(1), TTL).unwrap();
    assert_eq!(
        authority(&registry),
        Authority::Complete,
        "others may follow"
    );
    registry.deregister_now(&lease);
    assert_eq!(authority(&registry), Authority::Explicit);
    assert!(registry.service_names().is_empty());
    advance(HOLD).await;
    assert_eq!(authority(&registry), Authority::Explicit);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_leaves_doubt_for_as_long_as_callers_hold_their_lists() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    let lease = registry.register_now(&instance(2), 4 * TTL).unwrap();
    advance(TTL).await;
    assert_eq!(authority(&registry), Authority::Complete, "one has expired");
    // The last one leaves by itself, but not the one before.
    registry.deregister_now(&lease);
    assert!(registry.snapshot(&payment()).instances().is_empty());
    assert_eq!(authority(&registry), Authority::Complete);
    assert!(registry.service_names().is_empty(), "it has no instance");
    assert_eq!(registry.counts(), (0, 0));
    advance(HOLD - Duration::from_millis(1)).await;
    assert_eq!(authority(&registry), Authority::Complete);
    advance(Duration::from_millis(1)).await;
    assert_eq!(authority(&registry), Authority::Explicit);
}

#[tokio::test(start_paused = true)]
async fn doubt_about_those_who_are_left_ends_as_well() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    registry.register_now(&instance(2), 40 * TTL).unwrap();
    advance(2 * HOLD).await;
    let doubtful = registry.snapshot(&payment());
    assert_eq!(doubtful.authority(), Authority::Complete);
    advance(HOLD).await;
    let sure = registry.snapshot(&payment());
    assert_eq!(sure.authority(), Authority::Explicit);
    assert_eq!(sure.cursor(), doubtful.cursor(), "nobody came or went");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_forgotten_for_want_of_room_leaves_its_doubt() {
    let registry = MemoryRegistry::new();
    advance(HOLD).await;
    let other = |n: usize| {
        let service = ServiceName::new(format!("s-{n}")).unwrap();
        let id = InstanceId::new("i").unwrap();
        Instance::new(service, id, ([127, 0, 0, 1], 80).into())
    };
    // They expire one after the other; who looks keeps them in mind until there are too many.
    for n in 0..=10_001 {
        registry.register_now(&other(n), TTL).unwrap();
    }
    registry.register_now(&instance(1), TTL).unwrap();
    advance(TTL).await;
    assert_eq!(registry.counts(), (0, 0));
    assert!(registry.snapshot(&payment()).instances().is_empty());
    for n in 0..=10_001 {
        let list = registry.snapshot(&other(n).service);
        assert_eq!(list.authority(), Authority::Complete, "s-{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_began_empty_is_sure_only_after_its_warm_up_and_a_hold() {
    let registry = MemoryRegistry::builder().warm_up(TTL).build();
    assert_eq!(authority(&registry), Authority::Partial);
    advance(TTL).await;
    // Some may still be missing whose way to the registry is longer than their callers'.
    assert_eq!(authority(&registry), Authority::Complete);
    let lease = registry.register_now(&instance(1), TTL).unwrap();
    assert_eq!(authority(&registry), Authority::Complete);
    // Whoever lives has registered during the warm-up.
    registry.deregister_now(&lease);
    assert_eq!(authority(&registry), Authority::Explicit);
    advance(HOLD).await;
    assert_eq!(authority(&registry), Authority::Explicit);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_back_goes_on_where_it_was() {
    let registry = MemoryRegistry::new();
    registry.register_now(&instance(1), TTL).unwrap();
    advance(TTL).await;
    let empty = registry.snapshot(&payment());
    registry.register_now(&instance(1), TTL).unwrap();
    let back = registry.snapshot(&payment());
    assert!(back.cursor().revision() > empty.cursor().revision());
    assert_eq!(registry.counts(), (1, 1));
    advance(TTL).await;
    assert_eq!(registry.counts(), (0, 0));
    advance(HOLD).await;
    assert!(registry.service_names().is_empty());
    let forgotten = registry.snapshot(&payment());
    assert!(forgotten.cursor().revision() > back.cursor().revision());
    assert_eq!(forgotten.authority(), Authority::Explicit);
}

#[tokio::test(start_paused = true)]
async fn a_status_is_news_and_belongs_to_the_lease() {
    let registry = MemoryRegistry::new();
    let old = registry.register_now(&instance(1), TTL).unwrap();
    let new = registry.register_now(&instance(1), TTL).unwrap();
    let before = registry.snapshot(&payment()).cursor();
    assert!(registry.set_status(&old, Status::Draining).is_err());
    assert_eq!(registry.set_status(&new, Status::Draining), Ok(true));
    assert_eq!(registry.set_status(&new, Status::Draining), Ok(false));
    let after = registry.snapshot(&payment());
    assert!(after.cursor().revision() > before.revision());
    assert_eq!(after.instances()[0].status(), Status::Draining);
}

#[tokio::test(start_paused = true)]
async fn an_operator_is_heard_before_the_instance_and_beyond_its_life() {
    let registry = MemoryRegistry::new();
    let first = instance(1);
    let lease = registry.register_now(&first, TTL).unwrap();
    let out = Some(Status::OutOfService);
    assert_eq!(registry.set_override(&payment(), &first.id, out), Ok(true));
    assert_eq!(registry.set_override(&payment(), &first.id, out), Ok(false));
    let said = |registry: &MemoryRegistry| registry.snapshot(&payment()).instances()[0].status();
    registry.set_status(&lease, Status::Degraded).unwrap();
    assert_eq!(said(&registry), Status::OutOfService);
    // It registers again, restarts elsewhere, expires and comes back.
    let lease = registry.register_now(&first, TTL).unwrap();
    assert_eq!(said(&registry), Status::OutOfService);
    registry.deregister_now(&lease);
    let moved = instance(1).moved_to(([127, 0, 0, 1], 9).into());
    registry.register_now(&moved, TTL).unwrap();
    assert_eq!(said(&registry), Status::OutOfService);
    advance(TTL).await;
    assert!(registry.snapshot(&payment()).instances().is_empty());
    assert!(registry.set_override(&payment(), &first.id, out).is_err());
    registry.register_now(&moved, TTL).unwrap();
    assert_eq!(said(&registry), Status::OutOfService);
    assert_eq!(registry.set_override(&payment(), &first.id, None), Ok(true));
    assert_eq!(said(&registry), Status::Up);
}
