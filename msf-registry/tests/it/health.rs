//! Health checks over real connections.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use msf_core::{classify::Classification, name::InstanceId, server::Body, testing::TestServer};
use msf_registry::{
    Health, Instance, PickContext, Registrar, Registry,
    backend::memory::MemoryRegistry,
    health::{HealthChecker, HttpProbe, Probe},
};

use crate::setup::{eventually, payment};

/// A server whose health path answers with a status that the test may change.
async fn answering(status: &Arc<AtomicU16>) -> TestServer {
    let status = Arc::clone(status);
    TestServer::start(tower::service_fn(move |request: Request<Body>| {
        let known = request.uri().path() == "/readyz";
        let code = if known {
            status.load(Ordering::Relaxed)
        } else {
            404
        };
        async move {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = code.try_into().expect("a status");
            Ok::<_, Infallible>(response)
        }
    }))
    .await
}

fn instance(id: &str, server: &TestServer) -> Instance {
    let id = InstanceId::new(id).expect("it is an id");
    Instance::new(payment(), id, server.addr())
        .health_check("/readyz".parse().expect("it is a check"))
}

#[tokio::test]
async fn only_a_2xx_of_the_health_path_passes() {
    let status = Arc::new(AtomicU16::new(200));
    let server = answering(&status).await;
    let instance = instance("p-1", &server);
    let probe = HttpProbe::new().unwrap();
    for (code, passes) in [
        (200, true),
        (204, true),
        (302, false),
        (404, false),
        (503, false),
    ] {
        status.store(code, Ordering::Relaxed);
        assert_eq!(probe.probe(&instance).await.is_ok(), passes, "{code}");
    }
    server.stop().await;
    assert!(probe.probe(&instance).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn callers_leave_an_instance_that_fails_and_come_back_to_one_that_recovers() {
    let (sick, well) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
    let (first, second) = (answering(&sick).await, answering(&well).await);
    let memory = MemoryRegistry::new();
    let ttl = Duration::from_secs(60);
    memory.put(&instance("p-1", &first), ttl).await.unwrap();
    memory.put(&instance("p-2", &second), ttl).await.unwrap();
    let _checks = HealthChecker::new()
        .interval(Duration::from_millis(50))
        .start(&memory)
        .unwrap();
    let endpoints = Registry::new(memory).service(&payment());
    let health = |health: [Health; 2]| {
        let endpoints = endpoints.clone();
        async move || {
            let snapshot = endpoints.snapshot();
            let seen: Vec<Health> = snapshot.instances().iter().map(|m| m.health).collect();
            seen == health
        }
    };
    let both_well = [Health::Healthy, Health::Healthy];
    eventually("both are healthy", health(both_well)).await;

    sick.store(503, Ordering::Relaxed);
    eventually("one is not", health([Health::Unhealthy, Health::Healthy])).await;
    for _ in 0..100 {
        let mut picked = endpoints.pick(&PickContext::new()).unwrap();
        assert_eq!(picked.addr(), second.addr());
        picked.record(&Classification::SUCCESS);
    }
    sick.store(200, Ordering::Relaxed);
    eventually("it is back", health(both_well)).await;
    let calls = [
        endpoints.pick(&PickContext::new()).unwrap(),
        endpoints.pick(&PickContext::new()).unwrap(),
    ];
    assert!(calls.iter().any(|picked| picked.addr() == first.addr()));

    // A process that is gone refuses the connection.
    first.stop().await;
    eventually(
        "the dead one is found",
        health([Health::Unhealthy, Health::Healthy]),
    )
    .await;
    second.stop().await;
}
