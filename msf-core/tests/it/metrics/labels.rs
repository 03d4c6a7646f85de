//! Routes and methods as labels.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use msf_core::{
    metrics::{HttpMetricsLayer, Metrics},
    route::MatchedRoute,
};
use tower::{Layer, ServiceExt, service_fn};

use super::{Bench, collect, full, get, series, value};

#[tokio::test(start_paused = true)]
async fn unknown_methods_and_missing_routes_do_not_become_labels() {
    let bench = Bench::new();
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(b"BREW").unwrap();
    *request.uri_mut() = "/raw/path".parse().unwrap();
    let service = bench
        .layer
        .layer(service_fn(|_: Request<()>| async { full("x") }));
    collect(service.oneshot(request).await.unwrap()).await;
    assert_eq!(bench.count("_OTHER", "", "200", ""), 1.0);
    assert!(!bench.metrics.render().contains("raw"));
}

#[tokio::test(start_paused = true)]
async fn a_route_left_in_the_response_is_found() {
    let bench = Bench::new();
    let service = bench.layer.layer(service_fn(|_: Request<()>| async {
        let mut response = Response::new(Full::<Bytes>::from("x"));
        response.extensions_mut().insert(MatchedRoute::new("/late"));
        Ok::<_, Infallible>(response)
    }));
    collect(service.oneshot(Request::new(())).await.unwrap()).await;
    assert_eq!(bench.count("GET", "/late", "200", ""), 1.0);
}

#[tokio::test(start_paused = true)]
async fn routes_beyond_the_limit_are_other() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap().route_limit(2);
    for route in ["/a", "/b", "/c", "/d", "/a"] {
        let service = layer.layer(service_fn(|_: Request<()>| async { full("x") }));
        collect(service.oneshot(get(route)).await.unwrap()).await;
    }
    let text = metrics.render();
    let count = |route| {
        value(
            &text,
            &series(
                "http_server_request_duration_seconds_count",
                "GET",
                route,
                "200",
                "",
            ),
        )
    };
    assert_eq!((count("/a"), count("/b"), count("other")), (2.0, 1.0, 2.0));
    let overflow = r#"msf_metrics_overflow_total{family="http_server_request_duration_seconds"}"#;
    assert_eq!(value(&text, overflow), 2.0);
}
