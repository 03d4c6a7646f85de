//! Outages from both sides: callers keep their list while instances come back, and both are counted.

use super::*;

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
