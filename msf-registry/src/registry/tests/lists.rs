//! What callers see while the registry is well, away, confused or empty.

use super::*;

#[tokio::test(start_paused = true)]
async fn callers_hear_of_who_comes_and_who_goes() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    let first = registered(&registry, 1).await;
    let second = registered(&registry, 2).await;
    sleep(Duration::from_millis(250)).await;
    assert_eq!(in_use(&endpoints), 2);
    first.deregister().await.unwrap();
    sleep(Duration::from_millis(250)).await;
    assert_eq!(in_use(&endpoints), 1);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn one_watch_serves_all_callers_and_ends_with_the_last() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let all: Vec<ServiceHandle> = (0..50).map(|_| registry.service(&payment())).collect();
    sleep(Duration::from_millis(50)).await;
    assert!(backend.calls() <= 3, "{} questions", backend.calls());
    let last = all[0].clone();
    drop(all);
    registered(&registry, 1).await.deregister().await.unwrap();
    let calls = backend.calls();
    sleep(Duration::from_secs(120)).await;
    assert!(
        backend.calls() > calls,
        "the watch ended with the first handle"
    );
    drop(last);
    sleep(Duration::from_millis(1)).await;
    let calls = backend.calls();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        backend.calls(),
        calls,
        "nobody is left and it still watches"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_list_stays_in_use_while_the_registry_is_away() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    for mode in [Mode::Away, Mode::Hangs] {
        backend.set(mode);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(
            endpoints.pick(&PickContext::new()).unwrap().addr(),
            instance(1).addr()
        );
        assert!(endpoints.age().unwrap() > Duration::from_secs(3_000));
    }
    backend.set(Mode::Up);
    // The longest that a question may hang, and the longest back-off.
    sleep(Duration::from_secs(130)).await;
    assert!(endpoints.age().unwrap() < Duration::from_secs(40));
    assert_eq!(in_use(&endpoints), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_suddenly_empty_is_not_believed_at_once() {
    let backend = Flaky::new();
    // Not that it is meant.
    backend.say(Authority::Complete);
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(HOLD - Duration::from_secs(1)).await;
    assert!(endpoints.pick(&PickContext::new()).is_ok());
    sleep(Duration::from_secs(2)).await;
    assert!(endpoints.pick(&PickContext::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_hold_ends_although_the_registry_is_away() {
    let backend = Flaky::new();
    // Not that it is meant.
    backend.say(Authority::Complete);
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    backend.set(Mode::Away);
    sleep(HOLD).await;
    assert!(endpoints.pick(&PickContext::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_hold_without_end_keeps_the_last_list_and_hears_of_the_next() {
    let backend = Flaky::new();
    // Not that it is meant.
    backend.say(Authority::Complete);
    let registry = Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .empty_hold(Duration::MAX)
        .build()
        .unwrap();
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    registration.deregister().await.unwrap();
    sleep(HOLD * 100).await;
    assert_eq!(
        endpoints.pick(&PickContext::new()).unwrap().addr().port(),
        8_001
    );
    let _next = registered(&registry, 2).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        endpoints.pick(&PickContext::new()).unwrap().addr().port(),
        8_002
    );
}

#[tokio::test(start_paused = true)]
async fn a_scale_to_zero_that_is_meant_is_seen_at_once() {
    let backend = Flaky::new();
    backend.say(Authority::Explicit);
    let registry = registry(&backend);
    let registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    registration.deregister().await.unwrap();
    sleep(Duration::from_millis(150)).await;
    assert!(endpoints.pick(&PickContext::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lost_position_costs_another_fetch_and_no_busy_loop() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::LosesCursors);
    sleep(Duration::from_secs(60)).await;
    let calls = backend.calls();
    sleep(Duration::from_secs(1)).await;
    let per_second = backend.calls() - calls;
    assert!(
        (2..=60).contains(&per_second),
        "{per_second} questions in a second"
    );
    assert_eq!(in_use(&endpoints), 1);
}

/// It has lost more than the position.
#[tokio::test(start_paused = true)]
async fn a_registry_without_any_position_is_away() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::Lost);
    sleep(Duration::from_secs(60)).await;
    assert!(!endpoints.freshness().is_live());
    let questions = backend.questions();
    sleep(Duration::from_secs(60)).await;
    let asked = backend.questions() - questions;
    assert!((5..=120).contains(&asked), "{asked} questions in a minute");
    backend.set(Mode::Up);
    sleep(Duration::from_secs(10)).await;
    assert!(endpoints.freshness().is_live());
}

#[tokio::test(start_paused = true)]
async fn a_watch_survives_a_backend_that_panics() {
    let backend = Flaky::new();
    backend.set(Mode::Panics);
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    sleep(TTL).await;
    backend.set(Mode::Up);
    let _registration = registered(&registry, 1).await;
    endpoints.ready(Duration::from_secs(10)).await.unwrap();
    // Wakes the question that is under way, and the next one panics.
    backend.set(Mode::Panics);
    let _second = registry.register(instance(2));
    backend.memory().put(&instance(3), TTL).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(matches!(endpoints.freshness(), Freshness::Stale { .. }));
    backend.set(Mode::Up);
    sleep(Duration::from_secs(10)).await;
    assert!(endpoints.freshness().is_live());
    assert_eq!(in_use(&endpoints), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_another_service_is_not_used() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::Confuses);
    let _second = registered(&registry, 2).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(endpoints.snapshot().service(), &payment());
    assert!(!endpoints.freshness().is_live());
    assert_eq!(in_use(&endpoints), 1);
    backend.set(Mode::Up);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(in_use(&endpoints), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_says_how_fresh_it_is() {
    let backend = Flaky::new();
    backend.set(Mode::Away);
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(endpoints.freshness(), Freshness::Unknown);
    assert_eq!(endpoints.age(), None);
    backend.set(Mode::Up);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(endpoints.freshness(), Freshness::Live);
    let before = clock::now();
    backend.set(Mode::Away);
    sleep(Duration::from_secs(60)).await;
    let Freshness::Stale { since } = endpoints.freshness() else {
        panic!("{:?}", endpoints.freshness());
    };
    assert!(since <= before);
    assert_eq!(endpoints.age(), Some(clock::now() - since));
    backend.set(Mode::Up);
    sleep(Duration::from_secs(10)).await;
    assert!(endpoints.freshness().is_live());
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_does_not_wait_is_asked_at_its_pace() {
    let every = Duration::from_secs(5);
    let backend = Flaky::with(Capabilities::new().polled(every));
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    sleep(Duration::from_secs(1)).await;
    let calls = backend.calls();
    sleep(every * 100).await;
    let asked = backend.calls() - calls;
    assert!(
        (90..=112).contains(&asked),
        "{asked} questions in 100 intervals"
    );
    let _registration = registered(&registry, 1).await;
    sleep(every * 11 / 10 + Duration::from_millis(1)).await;
    assert_eq!(in_use(&endpoints), 1);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_changes_is_seen_in_a_few_lists() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let endpoints = registry.service(&payment());
    let _first = registered(&registry, 0).await;
    endpoints.ready(TTL).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut changes = endpoints.changes();
    changes.borrow_and_update();
    let counted = async {
        let mut lists = 0;
        while timeout(Duration::from_secs(1), changes.changed())
            .await
            .is_ok()
        {
            lists += 1;
        }
        lists
    };
    let burst = async {
        let mut registrations = Vec::new();
        for n in 1..100 {
            registrations.push(registered(&registry, n).await);
            sleep(Duration::from_millis(5)).await;
        }
        registrations
    };
    let (lists, _registrations) = tokio::join!(counted, burst);
    assert_eq!(in_use(&endpoints), 100);
    assert!(
        (2..=8).contains(&lists),
        "{lists} lists within half a second"
    );
}
