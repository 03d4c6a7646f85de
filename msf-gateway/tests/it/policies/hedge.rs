//! Hedges of a route: which calls get one, and how they are counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request, Response};
use msf_core::{body::Body, metrics::Metrics};
use msf_gateway::{Route, config::GatewayConfig};
use tokio::sync::Semaphore;

use super::{builder, request};
use crate::common::{System, eventually, send, start};

/// Two instances of one service: whoever is asked first never answers, and the other one says so.
async fn one_hangs(system: System) -> (System, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let never = Arc::new(Semaphore::new(0));
    let mut system = system;
    for _ in 0..2 {
        let (asked, never) = (Arc::clone(&asked), Arc::clone(&never));
        let answer = move |_request: Request<Body>| {
            let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            let never = Arc::clone(&never);
            async move {
                if is_first {
                    never.acquire().await.unwrap().forget();
                }
                Response::new(Body::from("of the second"))
            }
        };
        system = system.with("slow", answer).await;
    }
    (system, asked)
}

/// The sum of the lines of a metric that have this label.
fn sum(metrics: &Metrics, name: &str, label: &str) -> u64 {
    let text = metrics.render();
    let lines = text.lines().filter(|line| {
        let mut words = line.split(['{', ' ']);
        words.next() == Some(name) && line.contains(label)
    });
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn a_slow_call_is_answered_by_the_second_instance_and_counted_once() {
    let (system, asked) = one_hangs(System::new()).await;
    let metrics = Metrics::new();
    let client = msf_client::Client::builder(system.registry.clone());
    let client = client.metrics(&metrics).build().unwrap();
    let route = Route::prefix("/slow").id("slow").to("slow").public();
    let builder = msf_gateway::Gateway::builder(client)
        .metrics(&metrics)
        .route(route.hedge(|hedge| hedge.after(std::time::Duration::from_millis(20))));
    let gateway = start(system.build(builder).await);
    let answer = send(gateway.addr(), request(Method::GET, "/slow", &[])).await;
    assert_eq!(answer.text(), "of the second");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // One request and one call, whatever it took.
    let counted = [
        (
            "http_server_request_duration_seconds_count",
            "http_route=\"slow\"",
        ),
        (
            "msf_client_request_duration_seconds_count",
            "service=\"slow\"",
        ),
    ];
    for (name, label) in counted {
        eventually(|| sum(&metrics, name, label) > 0).await;
        assert_eq!(sum(&metrics, name, label), 1, "{name}");
    }
}

#[tokio::test]
async fn a_call_that_may_not_be_repeated_is_not_hedged() {
    let (system, asked) = one_hangs(System::new()).await;
    let timeout = std::time::Duration::from_millis(200);
    let route = Route::prefix("/slow").to("slow").public().timeout(timeout);
    let gateway = builder(&system)
        .route(route.hedge(|hedge| hedge.after(std::time::Duration::from_millis(20))));
    let gateway = start(system.build(gateway).await);
    let answer = send(gateway.addr(), request(Method::POST, "/slow", &[])).await;
    assert_eq!(answer.status(), 504);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_file_hedges_too() {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut servers = Vec::new();
    for _ in 0..2 {
        let asked = Arc::clone(&asked);
        let service = tower::service_fn(move |_request: Request<Body>| {
            let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if is_first {
                    std::future::pending::<()>().await;
                }
                Ok::<_, std::convert::Infallible>(Response::new(Body::from("second")))
            }
        });
        servers.push(msf_core::testing::TestServer::start(service).await);
    }
    let text = format!(
        "[clusters.slow]\nendpoints = [\"{}\", \"{}\"]\n\
         [[routes]]\nmatch = {{ path = \"/**\" }}\nto = \"slow\"\nhedge = {{ after = \"20ms\" }}\n",
        servers[0].url(""),
        servers[1].url(""),
    );
    let config = GatewayConfig::load("g.toml", &text).unwrap();
    let gateway = start(config.build(&Metrics::new()).unwrap());
    let answer = send(gateway.addr(), request(Method::GET, "/", &[])).await;
    assert_eq!(answer.text(), "second");
}
