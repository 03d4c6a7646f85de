//! What happens when the registry goes away, hangs, forgets or lies.

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
    sleep(TTL).await;
    assert_eq!(listed(&backend), 0, "its lease has expired");
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
async fn one_lost_renewal_loses_no_lease() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    let before = backend.memory().snapshot(&payment()).cursor();
    sleep(TTL / 4).await;
    backend.set(Mode::Away);
    sleep(TTL / 4).await;
    backend.set(Mode::Up);
    sleep(TTL * 3).await;
    let after = backend.memory().snapshot(&payment()).cursor();
    assert_eq!(after, before, "it was away or registered again");
}

#[tokio::test(start_paused = true)]
async fn one_renewal_that_hangs_loses_no_lease() {
    let backend = Flaky::new();
    let _registration = registered(&registry(&backend), 1).await;
    let before = backend.memory().snapshot(&payment()).cursor();
    backend.set(Mode::Hangs);
    sleep(TTL / 2).await;
    // The next one is answered; the one that is under way never is.
    backend.set(Mode::Up);
    sleep(TTL * 3).await;
    let after = backend.memory().snapshot(&payment()).cursor();
    assert_eq!(after, before, "it was away or registered again");
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
async fn a_deregistration_that_is_dropped_leaves_a_lease_that_expires() {
    let backend = Flaky::new();
    let registration = registered(&registry(&backend), 1).await;
    backend.set(Mode::Hangs);
    assert!(
        timeout(Duration::from_millis(1), registration.deregister())
            .await
            .is_err()
    );
    backend.set(Mode::Up);
    sleep(TTL).await;
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
async fn a_restart_without_memory_hides_nobody() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _stays = registered(&registry, 1).await;
    let dies = registered(&registry, 2).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    backend.set(Mode::Away);
    drop(dies);
    sleep(Duration::from_secs(1)).await;
    backend.lose_memory(TTL);
    backend.set(Mode::Up);
    let start = clock::now();
    while clock::now() - start < TTL - Duration::from_millis(200) {
        assert_eq!(
            in_use(&endpoints),
            2,
            "{:?} after the restart",
            clock::now() - start
        );
        sleep(Duration::from_millis(50)).await;
    }
    sleep(TTL).await;
    assert_eq!(
        in_use(&endpoints),
        1,
        "the dead one is forgotten after the warm-up"
    );
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

#[tokio::test(start_paused = true)]
async fn what_happens_is_counted() {
    let backend = Flaky::new();
    let metrics = Metrics::new();
    let registry = Registry::builder(backend.clone())
        .lease_ttl(TTL)
        .metrics(&metrics)
        .build()
        .unwrap();
    let _registration = registered(&registry, 1).await;
    let endpoints = registry.service(&payment());
    endpoints.ready(TTL).await.unwrap();
    drop(endpoints.pick(&PickContext::new()).unwrap());
    sleep(TTL).await;
    backend.lose_memory(Duration::ZERO);
    sleep(TTL).await;
    let text = metrics.render();
    for line in [
        r#"msf_lb_picks_total{outcome="ok",policy="peak_ewma",service="payment"} 1"#,
        r#"msf_registry_instances{health="unknown",service="payment"} 1"#,
        r#"msf_registry_lease_renewals_total{result="registered"} 2"#,
        r#"msf_registry_lease_renewals_total{result="gone"} 1"#,
        r#"msf_registry_snapshot_revision{service="payment"}"#,
        r#"msf_registry_snapshot_age_seconds{service="payment"}"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[test]
fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
    let builder = Registry::builder(MemoryRegistry::new());
    assert!(
        builder
            .lease_ttl(Duration::from_millis(99))
            .build()
            .is_err()
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

/// The outage that most registries' clients do not survive: longer than every lease, and then everything is forgotten.
#[tokio::test(start_paused = true)]
async fn dead_for_four_leases_and_back_empty_nobody_is_lost_and_all_are_listed_again() {
    for warm_up in [Duration::ZERO, TTL] {
        for down in [Mode::Away, Mode::Hangs] {
            let backend = Flaky::new();
            let registry = registry(&backend);
            let mut registrations = Vec::new();
            for n in 0..5 {
                registrations.push(registered(&registry, n).await);
            }
            let endpoints = registry.service(&payment());
            endpoints.ready(TTL).await.unwrap();
            sleep(Duration::from_secs(1)).await;

            backend.set(down);
            let until = clock::now() + TTL * 4;
            while clock::now() < until {
                assert_eq!(in_use(&endpoints), 5, "a caller lost somebody");
                sleep(Duration::from_millis(20)).await;
            }
            // Also the connections of questions under way break when it restarts.
            backend.set(Mode::Away);
            sleep(Duration::from_millis(20)).await;
            backend.lose_memory(warm_up);
            backend.set(Mode::Up);
            let back = clock::now();
            let mut listed_at = None;
            while clock::now() < back + TTL * 6 {
                assert_eq!(in_use(&endpoints), 5, "a caller lost somebody");
                if listed_at.is_none() && listed(&backend) == 5 {
                    listed_at = Some(clock::now());
                }
                sleep(Duration::from_millis(20)).await;
            }
            let took = listed_at.expect("all are listed again") - back;
            assert!(took <= TTL, "{took:?}");
            let puts = backend.puts().into_iter().filter(|at| *at >= back);
            assert_eq!(
                puts.count(),
                5,
                "one registration each, and the same lease ever since"
            );
        }
    }
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

#[test]
fn a_setting_out_of_range_is_named_with_the_range() {
    let far = Duration::from_secs(100_000_000_000);
    type Set = fn(RegistryBuilder, Duration) -> RegistryBuilder;
    let settings: [(&str, Set); 7] = [
        ("lease_ttl", RegistryBuilder::lease_ttl),
        ("merge_window", RegistryBuilder::merge_window),
        ("drain_wait", RegistryBuilder::drain_wait),
        ("deregister_timeout", RegistryBuilder::deregister_timeout),
        ("call_timeout", RegistryBuilder::call_timeout),
        ("watch_timeout", RegistryBuilder::watch_timeout),
        ("linger", RegistryBuilder::linger),
    ];
    for (name, set) in settings {
        let error = set(Registry::builder(MemoryRegistry::new()), far)
            .build()
            .unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}
