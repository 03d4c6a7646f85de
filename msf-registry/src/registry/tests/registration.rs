//! What the handle of a registration does.

use std::error::Error as _;

use super::*;
use crate::registry::NotRegistered;

const MOMENT: Duration = Duration::from_millis(10);
/// `drain_wait`, unless set.
const DRAIN: Duration = Duration::from_secs(3);
/// What a host grants its drain hooks.
const HOOKS: Duration = Duration::from_secs(5);

fn stored(backend: &Flaky) -> Arc<Instance> {
    let snapshot = backend.memory().snapshot(&payment());
    Arc::clone(&snapshot.instances()[0].instance)
}

fn cause(error: &NotRegistered) -> &RegistryError {
    error.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn dropping_it_deregisters() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    drop(registration);
    sleep(MOMENT).await;
    assert_eq!(listed(&backend), 0);
    let calls = backend.calls();
    sleep(TTL * 10).await;
    assert_eq!(backend.calls(), calls, "its driver still runs");
}

#[tokio::test(start_paused = true)]
async fn dropping_it_while_the_registry_is_away_is_tried_for_a_while() {
    let backend = Flaky::new();
    let registry = Registry::builder(backend.clone())
        .lease_ttl(Duration::from_secs(60))
        .build()
        .unwrap();
    let registration = registered(&registry, 1).await;
    backend.set(Mode::Away);
    drop(registration);
    sleep(Duration::from_secs(1)).await;
    backend.set(Mode::Up);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(listed(&backend), 0);

    let registration = registered(&registry, 1).await;
    backend.set(Mode::Hangs);
    drop(registration);
    sleep(Duration::from_secs(30)).await;
    let calls = backend.calls();
    backend.set(Mode::Up);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(backend.calls(), calls, "it is tried for too long");
    assert_eq!(listed(&backend), 1);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(listed(&backend), 0, "what is not reached expires");
}

#[tokio::test(start_paused = true)]
async fn dropping_it_before_it_was_registered_leaves_nothing() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    drop(registry.register(instance(1)));
    sleep(MOMENT).await;
    assert_eq!(listed(&backend), 0);

    // Also when its first registration is under way.
    backend.set(Mode::Hangs);
    let registration = registry.register(instance(1));
    sleep(MOMENT).await;
    drop(registration);
    backend.set(Mode::Up);
    sleep(TTL * 2).await;
    assert_eq!(listed(&backend), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_registered_when_it_returns_and_keeps_the_lease_alive() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    registration.set_status(Status::OutOfService).await.unwrap();
    assert_eq!(stored(&backend).status, Status::OutOfService);
    let change = registration.update(|instance| instance.metadata("k", "v").version("2"));
    change.await.unwrap();
    assert_eq!(stored(&backend).version.as_deref(), Some("2"));
    assert_eq!(*registration.instance(), *stored(&backend));
    let revision = backend.memory().snapshot(&payment()).cursor();
    sleep(TTL * 10).await;
    assert_eq!(backend.memory().snapshot(&payment()).cursor(), revision);
    // What is there already costs nothing.
    let calls = backend.calls();
    registration.update(|instance| instance).await.unwrap();
    assert_eq!(backend.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn changes_at_once_are_all_registered() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    let change = |n: usize| {
        let registration = &registration;
        async move {
            let change = |instance: Instance| instance.metadata(format!("k{n}"), "v");
            registration.update(change).await.unwrap();
            assert!(
                registration
                    .instance()
                    .metadata
                    .contains_key(&format!("k{n}"))
            );
        }
    };
    tokio::join!(change(1), change(2), change(3), change(4), change(5));
    assert_eq!(stored(&backend).metadata.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_a_registry_that_is_away_and_happens_although_nobody_waits() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    backend.set(Mode::Away);
    for _ in 0..100 {
        let dropped = timeout(MOMENT, registration.set_status(Status::Draining)).await;
        assert!(dropped.is_err());
    }
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert_eq!(stored(&backend).status, Status::Draining);
    // A change that was never polled is none.
    drop(registration.set_status(Status::Down));
    sleep(TTL).await;
    assert_eq!(stored(&backend).status, Status::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_says_why_and_leaves_what_was() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    let invalid = registration.update(|i| i.zone("")).await.unwrap_err();
    assert!(matches!(cause(&invalid), RegistryError::Invalid(_)));
    let other = InstanceId::new("p-2").unwrap();
    let change = |mut instance: Instance| {
        instance.id = other;
        instance
    };
    let moved = registration.update(change).await.unwrap_err();
    assert!(matches!(cause(&moved), RegistryError::IdentityChanged));
    sleep(TTL * 3).await;
    assert_eq!(*stored(&backend), instance(1));
    assert!(matches!(registration.standing(), Standing::Registered));
}

#[tokio::test(start_paused = true)]
async fn draining_is_seen_at_once_and_the_end_only_after_the_wait() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _other = registered(&registry, 2).await;
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    let start = clock::now();
    let drain = registration.drain();
    let seen = async {
        sleep(Duration::from_millis(300)).await;
        let snapshot = endpoints.snapshot();
        assert_eq!(snapshot.instances()[0].instance.status, Status::Draining);
        sleep(DRAIN - Duration::from_millis(400)).await;
        assert_eq!(listed(&backend), 2, "it left before callers had heard");
    };
    let (drained, ()) = tokio::join!(drain, seen);
    drained.unwrap();
    let took = clock::now() - start;
    assert!(took >= DRAIN && took < DRAIN + MOMENT, "{took:?}");
    assert!(took < HOOKS, "it does not fit into a drain hook");
    assert_eq!(listed(&backend), 1);
}

#[tokio::test(start_paused = true)]
async fn draining_from_a_registry_that_is_away_ends_in_time() {
    for mode in [Mode::Away, Mode::Hangs] {
        let backend = Flaky::new();
        let registration = registered(&registry(&backend), 1).await;
        backend.set(mode);
        let start = clock::now();
        registration.drain().await.unwrap_err();
        let took = clock::now() - start;
        assert!(took <= Duration::from_millis(6_500), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_what_was_never_registered_waits_for_nobody() {
    let backend = Flaky::new();
    backend.set(Mode::Away);
    let registration = registry(&backend).register(instance(1));
    sleep(TTL).await;
    let start = clock::now();
    registration.drain().await.unwrap();
    assert_eq!(clock::now(), start);
}

/// A call that hangs has a limit of its own, which is longer.
#[tokio::test(start_paused = true)]
async fn deregistering_behind_a_renewal_that_hangs_ends_in_time() {
    let backend = Flaky::new();
    let registry = Registry::new(backend.clone());
    let registration = registered(&registry, 1).await;
    sleep(Duration::from_secs(4)).await;
    backend.set(Mode::Hangs);
    let calls = backend.calls();
    while backend.calls() == calls {
        sleep(MOMENT).await;
    }
    let start = clock::now();
    registration.deregister().await.unwrap_err();
    let took = clock::now() - start;
    assert!(took <= Duration::from_millis(3_500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_after_an_outage_leaves_what_was() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    backend.set(Mode::Away);
    let change = registration.update(|instance| instance.version("refused"));
    let dropped = timeout(TTL * 2, change).await;
    assert!(dropped.is_err());
    backend.lose_memory(Duration::ZERO);
    backend.set(Mode::Picky);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 1, "a bad change took it off the list");
    assert_eq!(*stored(&backend), instance(1));
    assert!(matches!(registration.standing(), Standing::Registered));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_dropped_deregisters_at_once() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    let drained = timeout(Duration::from_secs(1), registration.drain()).await;
    assert!(drained.is_err());
    sleep(MOMENT).await;
    assert_eq!(listed(&backend), 0);
}

#[tokio::test(start_paused = true)]
async fn drain_waits_for_callers_that_poll() {
    let every = Duration::from_secs(20);
    let backend = Flaky::with(Capabilities::new().polled(every));
    let registration = registered(&registry(&backend), 1).await;
    let start = clock::now();
    registration.drain().await.unwrap();
    assert!(clock::now() - start >= every * 11 / 10);
}

#[tokio::test(start_paused = true)]
async fn a_second_registration_of_an_id_is_refused_and_does_not_touch_the_first() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let first = registered(&registry, 1).await;
    let before = backend.memory().snapshot(&payment()).cursor();
    let second = registry.register(instance(1));
    let refused = second.registered().await.unwrap_err();
    assert!(matches!(cause(&refused), RegistryError::DuplicateId { .. }));
    let refused = second.set_status(Status::Down).await.unwrap_err();
    assert!(matches!(cause(&refused), RegistryError::DuplicateId { .. }));
    assert_eq!(*second.instance(), instance(1));
    drop(second);
    sleep(TTL * 3).await;
    assert_eq!(backend.memory().snapshot(&payment()).cursor(), before);
    // An id is free again when its registration ends.
    drop(first);
    let third = registered(&registry, 1).await;
    sleep(TTL * 3).await;
    assert_eq!(listed(&backend), 1);
    third.deregister().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn its_standing_tells_of_every_turn() {
    let backend = Flaky::new();
    backend.set(Mode::Away);
    let registration = registry(&backend).register(instance(1));
    let mut standings = registration.standings();
    assert!(matches!(registration.standing(), Standing::Pending));
    let next = async |standings: &mut tokio::sync::watch::Receiver<Standing>| {
        timeout(TTL * 3, standings.changed())
            .await
            .unwrap()
            .unwrap();
        standings.borrow_and_update().clone()
    };
    backend.set(Mode::Up);
    assert!(matches!(next(&mut standings).await, Standing::Registered));
    backend.set(Mode::Away);
    assert!(matches!(next(&mut standings).await, Standing::Lost));
    backend.set(Mode::Up);
    assert!(matches!(next(&mut standings).await, Standing::Registered));
    backend.lose_memory(Duration::ZERO);
    assert!(matches!(next(&mut standings).await, Standing::Lost));
    assert!(matches!(next(&mut standings).await, Standing::Registered));
    drop(registration);
    assert!(matches!(next(&mut standings).await, Standing::Ended));
}

#[tokio::test(start_paused = true)]
async fn detached_it_stays_until_it_is_unregistered() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    registered(&registry, 1).await.detach();
    let other = registered(&registry, 2).await;
    sleep(TTL * 5).await;
    assert_eq!(listed(&backend), 2);
    let id = instance(1).id;
    assert!(registry.unregister(&payment(), &id).await.unwrap());
    assert_eq!(listed(&backend), 1);
    assert!(!registry.unregister(&payment(), &id).await.unwrap());
    // Whoever holds the handle finds out.
    assert!(
        registry
            .unregister(&payment(), &instance(2).id)
            .await
            .unwrap()
    );
    let ended = other.set_status(Status::Up).await.unwrap_err();
    assert!(matches!(cause(&ended), RegistryError::Deregistered));
    let ended = other.registered().await.unwrap_err();
    assert!(matches!(cause(&ended), RegistryError::Deregistered));
    other.deregister().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unregistering_says_so_when_the_registry_is_away() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    registered(&registry, 1).await.detach();
    backend.set(Mode::Away);
    let (service, id) = (payment(), instance(1).id);
    let (first, second) = tokio::join!(
        registry.unregister(&service, &id),
        registry.unregister(&service, &id)
    );
    assert!(
        matches!(first, Err(RegistryError::Unreachable(_))),
        "{first:?}"
    );
    assert!(matches!(second, Ok(false)), "its end has begun: {second:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Such as a program that ends its first runtime before anything of it has run.
#[test]
fn a_runtime_that_ends_before_its_first_turn_keeps_no_other_from_registering() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let first = runtime();
    let early = first.block_on(async { registry.register(instance(1)) });
    drop(first);
    runtime().block_on(async {
        registered(&registry, 2).await.detach();
        timeout(TTL, early.registered()).await.unwrap().unwrap();
    });
}

/// A list that nobody confirms any more must not look as if somebody did.
#[test]
fn a_list_whose_runtime_has_ended_is_stale() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let first = runtime();
    let endpoints = first.block_on(async {
        registered(&registry, 1).await.detach();
        let endpoints = registry.service(&payment());
        endpoints.ready(TTL).await.unwrap();
        endpoints
    });
    assert!(endpoints.freshness().is_live());
    drop(first);
    assert!(matches!(endpoints.freshness(), Freshness::Stale { .. }));
    assert!(endpoints.pick(&PickContext::new()).is_ok());
    runtime().block_on(async {
        let again = registry.service(&payment());
        again.ready(TTL).await.unwrap();
        assert!(again.freshness().is_live());
    });
}

/// A process whose runtimes come and go, such as one runtime per test.
#[test]
fn a_runtime_that_ends_takes_no_registration_along_that_another_one_can_keep() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let first = runtime();
    let stays = first.block_on(async { registered(&registry, 1).await });
    drop(first);
    // Outside of any runtime: its end can only be noted.
    drop(stays.standings());

    let second = runtime();
    second.block_on(async {
        backend.lose_memory(Duration::ZERO);
        let _other = registered(&registry, 2).await;
        let deadline = clock::now() + TTL;
        while listed(&backend) < 2 {
            assert!(
                clock::now() < deadline,
                "nobody took over the first registration"
            );
            sleep(MOMENT).await;
        }
    });
    drop(second);
    // No runtime at all: nothing hangs, nothing panics, the lease expires.
    drop(stays);
}
