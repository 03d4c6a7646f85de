//! Health checks over real connections.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use msf_core::{
    classify::Classification,
    metrics::Metrics,
    name::InstanceId,
    server::Body,
    task::{self, Task},
    testing::TestServer,
};
use msf_registry::{
    Discovery, Health, Instance, PickContext, Registrar, Registry,
    backend::memory::MemoryRegistry,
    health::{ExecProbe, HealthChecker, HttpProbe, Probe},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
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
    // It starts slowly, so it takes some calls in flight at once.
    let calls: Vec<_> = (0..64)
        .map(|_| endpoints.pick(&PickContext::new()).unwrap())
        .collect();
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

/// Answers every connection with the same bytes, again and again if told so.
async fn raw(bytes: &'static [u8], for_ever: &'static [u8]) -> (SocketAddr, Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    let answer = async move |mut stream: TcpStream| {
        let mut request = [0; 1_024];
        let _read = stream.read(&mut request).await;
        let mut sent = stream.write_all(bytes).await;
        while sent.is_ok() && !for_ever.is_empty() {
            sent = stream.write_all(for_ever).await;
        }
    };
    let serve = async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream).await;
        }
    };
    (addr, task::spawn("raw", serve))
}

fn at(addr: SocketAddr, check: &str) -> Instance {
    let id = InstanceId::new(format!("p-{}", addr.port())).expect("it is an id");
    Instance::new(payment(), id, addr).health_check(check.parse().expect("it is a check"))
}

#[tokio::test]
async fn nothing_that_an_instance_answers_takes_memory_or_time() {
    let head = b"HTTP/1.1 200 OK\r\n";
    for (bytes, for_ever, passes) in [
        // The status is all that counts.
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 1_024][..], true),
        (head, b"x-filler: 1\r\n", false),
        (head, &[b'x'; 1_024], false),
        (b"", &[0; 1_024], false),
        (b"what?\r\n\r\n", b"", false),
        (b"", b"", false),
        (b"HTTP/1.1 99999 OK\r\n\r\n", b"", false),
    ] {
        let (addr, _server) = raw(bytes, for_ever).await;
        let probe = HttpProbe::new().unwrap();
        let instance = at(addr, "/readyz");
        let probed = timeout(Duration::from_secs(10), probe.probe(&instance)).await;
        let passed = probed.expect("it ends by itself").is_ok();
        assert_eq!(passed, passes, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let elsewhere = TestServer::start(tower::service_fn(move |_: Request<Body>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    }))
    .await;
    let location = format!("http://{}/", elsewhere.addr());
    let here = TestServer::start(tower::service_fn(move |_: Request<Body>| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::TEMPORARY_REDIRECT;
        let location = location.parse().expect("it is a header");
        response
            .headers_mut()
            .insert(http::header::LOCATION, location);
        async { Ok::<_, Infallible>(response) }
    }))
    .await;
    let probed = HttpProbe::new()
        .unwrap()
        .probe(&instance("p-1", &here))
        .await;
    assert!(!probed.unwrap_err().is_refusal());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    here.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
async fn only_a_503_is_the_instances_own_no() {
    let status = Arc::new(AtomicU16::new(503));
    let server = answering(&status).await;
    let (probe, instance) = (HttpProbe::new().unwrap(), instance("p-1", &server));
    for (code, is_refusal) in [(503, true), (500, false), (429, false), (404, false)] {
        status.store(code, Ordering::Relaxed);
        let failed = probe.probe(&instance).await.unwrap_err();
        assert_eq!(failed.is_refusal(), is_refusal, "{code}");
    }
    server.stop().await;
}

/// A gRPC server that says `SERVING`.
async fn serving() -> (SocketAddr, Task<()>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    let serve = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut connection) = h2::server::handshake(stream).await else {
                continue;
            };
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                let head = Response::builder().header("content-type", "application/grpc");
                let mut body = respond
                    .send_response(head.body(()).expect("the client is there"), false)
                    .expect("the client is there");
                let serving = Bytes::from_static(&[0, 0, 0, 0, 2, 0x08, 1]);
                body.send_data(serving, false).expect("the client is there");
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", 0.into());
                body.send_trailers(trailers).expect("the client is there");
            }
        }
    };
    (addr, task::spawn("grpc", serve))
}

async fn health_of(memory: &MemoryRegistry, addr: SocketAddr) -> Option<Health> {
    let snapshot = memory.fetch(&payment()).await.expect("memory answers");
    let mut members = snapshot.instances().iter();
    let member = members.find(|member| member.instance.addr() == addr);
    member.map(|member| member.health)
}

#[tokio::test]
async fn each_is_asked_in_its_own_way() {
    let (grpc, grpc_server) = serving().await;
    let (http, http_server) = raw(b"HTTP/1.1 204 No Content\r\n\r\n", b"").await;
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp_addr = tcp.local_addr().unwrap();
    let (memory, metrics) = (MemoryRegistry::new(), Metrics::new());
    let ttl = Duration::from_secs(60);
    for (addr, check) in [
        (grpc, "grpc:/my.Service"),
        (http, "/readyz"),
        (tcp_addr, "tcp:"),
    ] {
        memory.put(&at(addr, check), ttl).await.unwrap();
    }
    let checks = HealthChecker::new()
        .interval(Duration::from_millis(50))
        .timeout(Duration::from_millis(500))
        .metrics(&metrics)
        .start(&memory)
        .unwrap();
    let all_are = |expected| {
        let memory = memory.clone();
        async move || {
            let mut all = true;
            for addr in [grpc, http, tcp_addr] {
                all &= health_of(&memory, addr).await == Some(expected);
            }
            all
        }
    };
    eventually("all answer", all_are(Health::Healthy)).await;
    drop((grpc_server, http_server, tcp));
    eventually("none answers", all_are(Health::Unhealthy)).await;
    let text = metrics.render();
    for kind in ["grpc", "http", "tcp"] {
        for result in ["passed", "failed"] {
            let series = format!(r#"{{kind="{kind}",result="{result}",service="payment"}}"#);
            assert!(text.contains(&series), "{series}: {text}");
        }
    }
    drop(checks);
}

#[tokio::test]
async fn a_command_checks_a_service_and_metadata_services_are_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let (memory, metrics) = (MemoryRegistry::new(), Metrics::new());
    let elsewhere: SocketAddr = "169.254.169.254:80".parse().unwrap();
    for instance in [at(here, "/never/asked"), at(elsewhere, "/latest/meta-data")] {
        let registered = memory.put(&instance, Duration::from_secs(60)).await;
        registered.expect("memory itself takes all");
    }
    let port = here.port().to_string();
    let command = ExecProbe::new("test").arg("{port}").arg("-eq").arg(port);
    let _checks = HealthChecker::new()
        .interval(Duration::from_millis(50))
        .probe_of(payment(), command)
        .metrics(&metrics)
        .start(&memory)
        .unwrap();
    let is_so = async || {
        health_of(&memory, here).await == Some(Health::Healthy)
            && health_of(&memory, elsewhere).await == Some(Health::Unhealthy)
    };
    eventually("both are known", is_so).await;
    let text = metrics.render();
    assert!(
        text.contains(r#"{kind="exec",result="out_of_reach",service="payment"}"#),
        "{text}"
    );
    assert!(
        text.contains(r#"{kind="exec",result="passed",service="payment"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_caller_finds_out_by_itself_what_the_registry_does_not_check() {
    let server = crate::setup::start(0);
    let (well, sick) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
    let (first, second) = (answering(&well).await, answering(&sick).await);
    let registry = Registry::new(server.client());
    let here = [
        registry.register(instance("p-1", &first)),
        registry.register(instance("p-2", &second)),
    ];
    let endpoints = registry.service(&payment());
    let checks = registry
        .start_health_checking(HealthChecker::new().interval(Duration::from_millis(50)))
        .unwrap();
    let health = |expected: [Health; 2]| {
        let endpoints = endpoints.clone();
        async move || {
            let snapshot = endpoints.snapshot();
            let seen: Vec<Health> = snapshot.instances().iter().map(|m| m.health).collect();
            seen == expected
        }
    };
    eventually("both answer", health([Health::Healthy; 2])).await;
    sick.store(503, Ordering::Relaxed);
    eventually("one says no", health([Health::Healthy, Health::Unhealthy])).await;
    for _ in 0..50 {
        let mut picked = endpoints.pick(&PickContext::new()).unwrap();
        assert_eq!(picked.addr(), first.addr());
        picked.record(&Classification::SUCCESS);
    }
    drop(checks);
    assert!(
        health([Health::Unknown; 2])().await,
        "nobody checks any more"
    );
    drop(here);
    server.stop().await;
}
