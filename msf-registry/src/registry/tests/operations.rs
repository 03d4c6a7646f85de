//! The operations of the façade that need no handle.

use super::*;
use crate::health::Reach;

#[tokio::test(start_paused = true)]
async fn a_url_is_that_of_a_listed_instance() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let nobody = registry.service_url(&payment()).await.unwrap_err();
    assert_eq!(nobody.reason, crate::NoEndpointsReason::NoneRegistered);
    let _registration = registered(&registry, 1).await;
    sleep(Duration::from_millis(200)).await;
    let url = registry.service_url(&payment()).await.unwrap();
    assert_eq!(url, "http://127.0.0.1:8001");
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_for_the_first_answer_and_not_for_ever() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    backend.set(Mode::Hangs);
    let start = clock::now();
    assert!(!registry.is_healthy(&payment()).await);
    assert!(registry.service_url(&payment()).await.is_err());
    assert_eq!(clock::now() - start, Duration::from_secs(10));
    backend.set(Mode::Up);
    sleep(Duration::from_secs(20)).await;
    let start = clock::now();
    assert!(registry.is_healthy(&payment()).await);
    assert_eq!(clock::now(), start, "the watch went on meanwhile");
}

/// The registry has answered, and its list is not there yet: another thread may look just then.
#[tokio::test(start_paused = true)]
async fn a_question_waits_for_the_list_and_not_for_the_answer() {
    let backend = Flaky::new();
    backend.set(Mode::Hangs);
    let registry = registry(&backend);
    let handle = registry.service(&payment());
    let state = registry.watched().remove(0);
    state.set_freshness(Freshness::Live);
    let answered = async {
        sleep(Duration::from_millis(10)).await;
        backend.memory().put(&instance(1), TTL).await.unwrap();
        state.publish(backend.memory().snapshot(&payment()));
    };
    let service = payment();
    let (url, ()) = tokio::join!(registry.service_url(&service), answered);
    assert_eq!(url.unwrap(), "http://127.0.0.1:8001");
    drop(handle);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_services_is_not_waited_for_for_ever() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    assert_eq!(registry.services().await.unwrap(), [payment()]);
    backend.set(Mode::Hangs);
    let start = clock::now();
    let late = registry.services().await.unwrap_err();
    assert!(matches!(late, RegistryError::Timeout(_)));
    assert_eq!(clock::now() - start, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_service_is_healthy_when_calls_go_to_one_of_its_instances() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    assert!(!registry.is_healthy(&payment()).await);
    let registration = registered(&registry, 1).await;
    for (status, is_healthy) in [
        (Status::Up, true),
        (Status::Degraded, true),
        (Status::Starting, false),
        (Status::Draining, false),
        (Status::OutOfService, false),
        (Status::Down, false),
    ] {
        registration.set_status(status).await.unwrap();
        sleep(Duration::from_millis(200)).await;
        assert_eq!(
            registry.is_healthy(&payment()).await,
            is_healthy,
            "{status:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn questions_without_a_handle_share_a_watch_that_ends_when_nobody_asks() {
    let backend = Flaky::new();
    let registry = registry(&backend);
    let _registration = registered(&registry, 1).await;
    for _ in 0..50 {
        assert!(registry.is_healthy(&payment()).await);
    }
    let asked = |backend: &Flaky| backend.questions();
    assert!(asked(&backend) <= 3, "{} questions", asked(&backend));
    assert_eq!(registry.watched().len(), 1);
    sleep(Duration::from_secs(59)).await;
    assert!(registry.is_healthy(&payment()).await);
    sleep(Duration::from_secs(59)).await;
    assert_eq!(
        registry.watched().len(),
        1,
        "it was asked for less than a minute ago"
    );
    sleep(Duration::from_secs(2)).await;
    assert_eq!(registry.watched().len(), 0);
    let before = asked(&backend);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(asked(&backend), before, "nobody asks and it still watches");
    assert!(registry.is_healthy(&payment()).await, "and it starts again");
}

#[tokio::test(start_paused = true)]
async fn whom_the_registry_lists_at_an_address_out_of_reach_is_not_called() {
    let memory = MemoryRegistry::new();
    let at = |n: u16, addr: &str| instance(n).moved_to(addr.parse().unwrap());
    let metadata = "169.254.169.254:80";
    let behind = instance(3).endpoint("tcp://[fe80::1]:80".parse().unwrap());
    for one in [at(1, "10.0.0.1:80"), at(2, metadata), behind] {
        memory.put(&one, TTL * 9).await.unwrap();
    }
    let listed = async |builder: RegistryBuilder| {
        let service = builder.build().unwrap().service(&payment());
        sleep(Duration::from_secs(1)).await;
        let snapshot = service.snapshot();
        let ids = snapshot.instances().iter();
        ids.map(|m| m.instance.id.to_string()).collect::<Vec<_>>()
    };
    let usual = Registry::builder(memory.clone());
    assert_eq!(listed(usual.clone()).await, ["p-1"]);
    let odd = Reach::default().allow("169.254.169.254/32".parse().unwrap());
    assert_eq!(listed(usual.clone().reach(odd)).await, ["p-1", "p-2"]);
    let elsewhere = Reach::default().only("192.168.0.0/16".parse().unwrap());
    assert!(listed(usual.reach(elsewhere)).await.is_empty());
}
