//! What becomes of registrations while the registry is away, hangs, forgets or lies.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_instance_stays_listed_for_as_long_as_its_handle() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    for _ in 0..40 {
        sleep(TTL / 2).await;
        assert_eq!(listed(&backend), 1);
    }
    drop(registration);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(listed(&backend), 0, "it is left to its lease");
}

#[tokio::test(start_paused = true)]
async fn it_registers_again_when_the_registry_has_forgotten() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    backend.lose_memory(TTL);
    assert_eq!(listed(&backend), 0);
    sleep(TTL / 2).await;
    assert_eq!(listed(&backend), 1);
}

#[tokio::test(start_paused = true)]
async fn it_never_gives_up() {
    let backend = Flaky::new();
    backend.set(Mode::Away);
    let registration = registry(&backend).register(instance(1));
    assert!(
        timeout(Duration::from_secs(3_600), registration.registered())
            .await
            .is_err()
    );
    backend.set(Mode::Hangs);
    sleep(Duration::from_secs(600)).await;
    backend.set(Mode::Up);
    timeout(Duration::from_secs(10), registration.registered())
        .await
        .unwrap()
        .unwrap();

    backend.set(Mode::Away);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(listed(&backend), 0);
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 1);
}

#[tokio::test(start_paused = true)]
async fn one_renewal_that_is_lost_or_hangs_loses_no_lease() {
    for mode in [Mode::Away, Mode::Hangs] {
        let backend = Flaky::new();
        let _registration = registered(&registry(&backend), 1).await;
        let before = backend.memory().snapshot(&payment()).cursor();
        sleep(TTL / 4).await;
        backend.set(mode);
        sleep(TTL / 4).await;
        // The next one is answered; one that hangs never is.
        backend.set(Mode::Up);
        sleep(TTL * 3).await;
        let after = backend.memory().snapshot(&payment()).cursor();
        assert_eq!(after, before, "it was away or registered again");
    }
}

#[tokio::test(start_paused = true)]
async fn deregistering_takes_it_off_the_list_at_once() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    registration.deregister().await.unwrap();
    assert_eq!(listed(&backend), 0);
    sleep(TTL * 3).await;
    assert_eq!(listed(&backend), 0, "it came back");
}

#[tokio::test(start_paused = true)]
async fn deregistering_from_a_registry_that_is_away_ends_all_the_same() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let never = registry.register(instance(2));
    backend.set(Mode::Hangs);
    let start = clock::now();
    assert!(matches!(
        registration.deregister().await,
        Err(RegistryError::Timeout(_))
    ));
    never.deregister().await.unwrap_or(());
    assert!(clock::now() - start < TTL * 4);
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_is_dropped_goes_on_without_its_caller() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    backend.set(Mode::Hangs);
    assert!(
        timeout(Duration::from_millis(1), registration.deregister())
            .await
            .is_err()
    );
    backend.set(Mode::Up);
    // The call that hangs is given up after a third of the time to live, and made again; the lease lives longer.
    sleep(TTL * 2 / 3).await;
    assert_eq!(listed(&backend), 0);
    let calls = backend.calls();
    sleep(TTL * 10).await;
    assert_eq!(backend.calls(), calls, "its driver still runs");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_waiting_for_it_may_be_dropped() {
    let backend = Flaky::new();
    let nobody = instance(1).moved_to(([127, 0, 0, 1], 0).into());
    let registration = registry(&backend).register(nobody);
    assert!(
        timeout(Duration::ZERO, registration.registered())
            .await
            .is_err()
    );
    let refused = registration.registered().await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap();
    assert!(
        matches!(cause.downcast_ref(), Some(RegistryError::Invalid(_))),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_grants_no_time_is_not_asked_without_pause() {
    let backend = Flaky::new();
    backend.set(Mode::GrantsNothing);
    let registry = registry(&backend);
    let _registration = registry.register(instance(1));
    sleep(Duration::from_secs(1)).await;
    let calls = backend.calls();
    assert!((2..100).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_answers_into_the_void_ends_up_with_one_lease_each() {
    let backend = Flaky::new();
    backend.set(Mode::Mute);
    let registry = registry(&backend);
    let registration = registry.register(instance(1));
    sleep(TTL * 4).await;
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert_eq!(listed(&backend), 1);
    let revision = backend.memory().snapshot(&payment()).cursor().revision();
    sleep(TTL * 4).await;
    assert_eq!(
        backend.memory().snapshot(&payment()).cursor().revision(),
        revision
    );
    drop(registration);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(listed(&backend), 0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_is_as_one_that_is_away() {
    let backend = Flaky::new();
    backend.set(Mode::Panics);
    let registry = registry(&backend);
    let registration = registry.register(instance(1));
    sleep(TTL).await;
    backend.set(Mode::Up);
    timeout(TTL, registration.registered())
        .await
        .unwrap()
        .unwrap();
    backend.set(Mode::Panics);
    sleep(TTL * 2).await;
    assert!(matches!(registration.standing(), Standing::Lost));
    backend.set(Mode::Up);
    sleep(TTL).await;
    assert!(matches!(registration.standing(), Standing::Registered));
    backend.set(Mode::Panics);
    registration.deregister().await.unwrap_err();
}
