//! Every way a request can end, each counted once.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use msf_core::metrics::{HttpMetricsLayer, Metrics};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{Bench, Script, Step, collect, full, get, series, value};

#[tokio::test(start_paused = true)]
async fn the_duration_ends_with_the_body() {
    let bench = Bench::new();
    let mut response = bench
        .answer(Script::new([Step::Data("a"), Step::Data("b")]))
        .await;
    response.body_mut().frame().await.unwrap().unwrap();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(bench.active("GET"), 1.0);
    assert_eq!(bench.total(), 0.0);

    collect(response).await;
    assert_eq!(bench.active("GET"), 0.0);
    assert_eq!(bench.count("GET", "/items/{id}", "200", ""), 1.0);
    let sum = series(
        "http_server_request_duration_seconds_sum",
        "GET",
        "/items/{id}",
        "200",
        "",
    );
    assert_eq!(value(&bench.metrics.render(), &sum), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_halfway_is_cancelled() {
    let bench = Bench::new();
    let mut response = bench
        .answer(Script::new([Step::Data("a"), Step::Data("b")]))
        .await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    bench.ended_once("200", "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_body_never_read_is_cancelled() {
    let bench = Bench::new();
    drop(bench.answer(Script::new([Step::Data("a")])).await);
    bench.ended_once("200", "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_counted_as_body() {
    let bench = Bench::new();
    let response = bench
        .answer(Script::new([Step::Data("a"), Step::Fail]))
        .await;
    response.into_body().collect().await.unwrap_err();
    bench.ended_once("200", "body");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_is_counted_as_panic() {
    let bench = Bench::new();
    let response = bench.answer(Script::new([Step::Panic])).await;
    let mut body = task::spawn(response.into_body().collect());
    assert!(catch_unwind(AssertUnwindSafe(|| body.poll().is_ready())).is_err());
    drop(body);
    bench.ended_once("200", "panic");
}

#[tokio::test(start_paused = true)]
async fn trailers_end_a_request() {
    let bench = Bench::new();
    let mut response = bench
        .answer(Script::new([Step::Data("a"), Step::Trailers]))
        .await;
    response.body_mut().frame().await.unwrap().unwrap();
    response.body_mut().frame().await.unwrap().unwrap();
    bench.ended_once("200", "");
    drop(response);
    bench.ended_once("200", "");
}

#[tokio::test(start_paused = true)]
async fn a_body_dropped_after_its_content_length_is_complete() {
    let bench = Bench::new();
    let body = Script::new([Step::Data("abc")]);
    let mut response = bench
        .call(Method::GET, move || {
            Response::builder()
                .header("content-length", "3")
                .body(body.clone())
                .unwrap()
        })
        .await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    bench.ended_once("200", "");
}

#[tokio::test(start_paused = true)]
async fn bodies_that_no_server_reads_are_complete() {
    let bench = Bench::new();
    let streaming = || Response::new(Script::new([Step::Data("a")]));
    drop(bench.call(Method::HEAD, streaming).await);
    assert_eq!(bench.count("HEAD", "/items/{id}", "200", ""), 1.0);

    let not_modified = || {
        Response::builder()
            .status(304)
            .body(Script::new([]))
            .unwrap()
    };
    drop(bench.call(Method::GET, not_modified).await);
    assert_eq!(bench.count("GET", "/items/{id}", "304", ""), 1.0);
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_ends_with_the_head() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    let response = service.oneshot(get("/a")).await.unwrap();
    let count = series(
        "http_server_request_duration_seconds_count",
        "GET",
        "/a",
        "200",
        "",
    );
    assert_eq!(value(&metrics.render(), &count), 1.0);
    drop(response);
    assert_eq!(value(&metrics.render(), &count), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_named_by_its_status_however_it_ends() {
    let bench = Bench::new();
    let failing = || {
        Response::builder()
            .status(503)
            .body(Script::new([Step::Data("a")]))
            .unwrap()
    };
    drop(bench.call(Method::GET, failing).await);
    bench.ended_once("503", "503");
}

#[tokio::test(start_paused = true)]
async fn a_future_dropped_before_and_after_its_first_poll_is_cancelled() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    }));
    let count = series(
        "http_server_request_duration_seconds_count",
        "GET",
        "/a",
        "",
        "cancelled",
    );

    let unpolled = service.call(get("/a"));
    assert_eq!(
        value(
            &metrics.render(),
            r#"http_server_active_requests{http_request_method="GET"}"#
        ),
        1.0
    );
    drop(unpolled);
    assert_eq!(value(&metrics.render(), &count), 1.0);

    let mut polled = task::spawn(service.call(get("/a")));
    assert_pending!(polled.poll());
    drop(polled);
    assert_eq!(value(&metrics.render(), &count), 2.0);
    assert_eq!(
        value(
            &metrics.render(),
            r#"http_server_active_requests{http_request_method="GET"}"#
        ),
        0.0
    );
}

#[tokio::test(start_paused = true)]
async fn panics_in_call_and_in_poll_are_counted_once() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let count = series(
        "http_server_request_duration_seconds_count",
        "GET",
        "/a",
        "",
        "panic",
    );

    type Never = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;
    let mut in_call = layer.layer(service_fn(|_: Request<()>| -> Never {
        panic!("on purpose")
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(in_call.call(get("/a"))))).is_err());
    assert_eq!(value(&metrics.render(), &count), 1.0);

    let mut in_poll = layer.layer(service_fn(|_: Request<()>| async {
        if true {
            panic!("on purpose");
        }
        full("")
    }));
    // Dropped after the panic was caught, when the thread no longer unwinds.
    let mut future = task::spawn(in_poll.call(get("/a")));
    assert!(catch_unwind(AssertUnwindSafe(|| future.poll().is_ready())).is_err());
    drop(future);
    assert_eq!(value(&metrics.render(), &count), 2.0);
    assert_eq!(
        value(
            &metrics.render(),
            r#"http_server_active_requests{http_request_method="GET"}"#
        ),
        0.0
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_passes_through_and_is_counted() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| async {
        Err::<Response<Full<Bytes>>, _>("broken")
    }));
    assert_eq!(service.oneshot(get("/a")).await.unwrap_err(), "broken");
    let count = series(
        "http_server_request_duration_seconds_count",
        "GET",
        "/a",
        "",
        "_OTHER",
    );
    assert_eq!(value(&metrics.render(), &count), 1.0);
}
