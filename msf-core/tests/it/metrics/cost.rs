//! What a request costs, and that threads lose none.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Empty, Full};
use msf_core::metrics::{HttpMetricsLayer, Metrics};
use tokio_test::{assert_ready, task};
use tower::{Layer, Service, service_fn};

use super::{exchange, get};

#[tokio::test]
async fn a_known_request_allocates_nothing() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x"))))
    }));
    let request = get("/a");
    let first = allocation_counter::measure(|| exchange(&mut service, request));
    assert_ne!(
        first.count_total, 0,
        "the first sight of a route makes its series"
    );

    let request = get("/a");
    let counted = allocation_counter::measure(|| exchange(&mut service, request));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_first_sights_lose_no_request() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let layer = layer.clone();
            std::thread::spawn(move || {
                for index in 0..200 {
                    let mut service = layer.layer(service_fn(move |_: Request<()>| {
                        let status = StatusCode::from_u16(200 + index % 50).unwrap();
                        let mut response = Response::new(Empty::<Bytes>::new());
                        *response.status_mut() = status;
                        std::future::ready(Ok::<_, Infallible>(response))
                    }));
                    let mut call = task::spawn(service.call(get(&format!("/{}", index % 10))));
                    drop(assert_ready!(call.poll()).unwrap());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let text = metrics.render();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
    let sum: f64 = counts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(sum, 800.0);
}

/// Prints the cost per request; run it in release mode.
#[test]
#[ignore = "a measurement, not a test"]
fn cost_of_a_request() {
    const ROUNDS: u32 = 1_000_000;
    fn run<S, B>(mut service: S) -> Duration
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
        B: Body + Unpin,
    {
        let started = tokio::time::Instant::now();
        for _ in 0..ROUNDS {
            exchange(&mut service, Request::new(()));
        }
        started.elapsed() / ROUNDS
    }
    let inner = service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x"))))
    });
    // A constant route keeps the cost of filling the request's extensions out of the result.
    let route = |_: &http::Extensions| Some("/orders/{id}/items");
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap().route_from(route);
    for _ in 0..3 {
        let (bare, measured) = (run(inner), run(layer.layer(inner)));
        println!("bare {bare:?}, measured {measured:?}");
    }
}
