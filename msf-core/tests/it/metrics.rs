//! `msf_core::metrics` from the outside: registration, bounds, and every way a request can end.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use msf_core::{
    BoxError,
    metrics::{HttpMetricsLayer, MetricKind, Metrics, MetricsError, catalogue, http::ResponseBody},
    route::MatchedRoute,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt, service_fn};

// ===== registration =====

#[test]
fn the_same_family_twice_is_one_family() {
    let metrics = Metrics::new();
    let first = metrics
        .counter_family("calls_total", "Calls.", ["outcome"])
        .unwrap();
    let second = metrics
        .counter_family("calls_total", "Otherwise.", ["outcome"])
        .unwrap();
    first.with(["ok"]).inc();
    second.with(["ok"]).inc();
    assert_eq!(first.with(["ok"]).get(), 2);
}

#[test]
fn another_shape_under_the_same_name_is_refused() {
    let metrics = Metrics::new();
    metrics
        .counter_family("calls_total", "Calls.", ["outcome"])
        .unwrap();
    metrics
        .histogram_family_with("wait_seconds", "Waiting.", ["pool"], &[1.0])
        .unwrap();

    let label = metrics
        .counter_family("calls_total", "Calls.", ["result"])
        .unwrap_err();
    assert_eq!(
        label.to_string(),
        "metric `calls_total` is registered as counter {outcome}, not as counter {result}"
    );
    let kind = metrics
        .gauge_family("calls_total", "Calls.", ["outcome"])
        .unwrap_err();
    assert!(matches!(kind, MetricsError::Mismatch { .. }));
    let buckets = metrics
        .histogram_family("wait_seconds", "Waiting.", ["pool"])
        .unwrap_err();
    assert!(matches!(buckets, MetricsError::Mismatch { .. }));
}

#[test]
fn bad_names_labels_help_and_buckets_are_refused() {
    let metrics = Metrics::new();
    for name in ["", "9lives", "a-b", "a:b", "naïve"] {
        let error = metrics.counter(name, "Help.").unwrap_err();
        assert!(matches!(error, MetricsError::InvalidName { .. }), "{name}");
    }
    for labels in [
        ["", "a"],
        ["le", "a"],
        ["__a", "a"],
        ["a", "a"],
        ["a:b", "a"],
    ] {
        let error = metrics.gauge_family("depth", "Help.", labels).unwrap_err();
        assert!(
            matches!(error, MetricsError::InvalidLabel { .. }),
            "{labels:?}"
        );
    }
    let error = metrics.counter("jobs_total", "").unwrap_err();
    assert!(matches!(error, MetricsError::EmptyHelp { .. }));
    for buckets in [
        &[][..],
        &[2.0, 1.0],
        &[1.0, 1.0],
        &[f64::NAN],
        &[1.0, f64::INFINITY],
    ] {
        let error = metrics
            .histogram_family_with("h", "Help.", [], buckets)
            .unwrap_err();
        assert!(
            matches!(error, MetricsError::InvalidBuckets { .. }),
            "{buckets:?}"
        );
    }
}

#[test]
fn names_that_a_histogram_writes_are_taken() {
    let metrics = Metrics::new();
    metrics.histogram("wait_seconds", "Waiting.").unwrap();
    let error = metrics.counter("wait_seconds_count", "Waits.").unwrap_err();
    assert!(matches!(error, MetricsError::Taken { owner, .. } if owner == "wait_seconds"));

    metrics.counter("size_sum", "Sizes.").unwrap();
    let error = metrics.histogram("size", "Sizes.").unwrap_err();
    assert!(matches!(error, MetricsError::Taken { owner, .. } if owner == "size_sum"));
}

#[test]
fn label_values_that_read_alike_are_different_series() {
    let metrics = Metrics::new();
    let family = metrics
        .counter_family("pairs_total", "Pairs.", ["a", "b"])
        .unwrap();
    family.with(["ab", "c"]).inc();
    assert_eq!(family.with(["a", "bc"]).get(), 0);
    family.with(["quote\"", "line\nbreak"]).inc();
    assert!(
        metrics
            .render()
            .contains(r#"pairs_total{a="quote\"",b="line\nbreak"} 1"#)
    );
}

#[test]
fn a_full_family_folds_new_series_into_other_and_says_so() {
    let metrics = Metrics::with_series_limit(2);
    let family = metrics
        .counter_family("calls_total", "Calls.", ["peer"])
        .unwrap();
    for peer in ["a", "b", "c", "d", "a"] {
        family.with([peer]).inc();
    }
    let text = metrics.render();
    assert_eq!(value(&text, r#"calls_total{peer="a"}"#), 2.0);
    assert_eq!(value(&text, r#"calls_total{peer="other"}"#), 2.0);
    assert_eq!(
        value(&text, r#"msf_metrics_overflow_total{family="calls_total"}"#),
        2.0
    );
    assert!(!text.contains(r#"peer="c""#));
}

#[test]
fn scrape_hooks_run_outlive_a_panic_and_go_with_their_source() {
    let metrics = Metrics::new();
    let depth = metrics.gauge("depth", "Depth.").unwrap();
    let size = metrics.gauge("size", "Size.").unwrap();
    let source = Arc::new(5.0);
    let seen = size.clone();
    metrics.on_scrape(|| panic!("on purpose"));
    metrics.on_scrape(move || depth.inc());
    metrics.on_scrape_of(&source, move |source| size.set(*source));

    assert_eq!(value(&metrics.render(), "depth"), 1.0);
    assert_eq!(seen.get(), 5.0);
    drop(source);
    seen.set(0.0);
    assert_eq!(value(&metrics.render(), "depth"), 2.0);
    assert_eq!(seen.get(), 0.0);
}

#[tokio::test]
async fn what_is_registered_is_what_the_catalogue_says() {
    let metrics = Metrics::with_series_limit(1);
    metrics.register_process().unwrap();
    metrics.register_process().unwrap();
    metrics.register_build_info("orders", "1").unwrap();
    let runtime = tokio::runtime::Handle::current();
    metrics.register_runtime("main", &runtime).unwrap();
    metrics.register_runtime("main", &runtime).unwrap();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let _again = HttpMetricsLayer::new(&metrics).unwrap();
    let service = layer.layer(service_fn(|_: Request<()>| async { full("x") }));
    collect(service.oneshot(get("/a")).await.unwrap()).await;

    let text = metrics.render();
    for metric in catalogue() {
        if metric.name.starts_with("process_") && cfg!(not(target_os = "linux")) {
            continue;
        }
        // These a host registers; the test of the reference page and that of `hello` look for them.
        if ["msf_log_", "msf_otlp_", "msf_server_"]
            .iter()
            .any(|area| metric.name.starts_with(area))
        {
            continue;
        }
        let head = format!(
            "# HELP {0} {1}\n# TYPE {0} {2}\n",
            metric.name, metric.help, metric.kind
        );
        assert!(text.contains(&head), "{head}\n{text}");
        let suffix = if metric.kind == MetricKind::Histogram {
            "_count"
        } else {
            ""
        };
        let prefix = format!("{}{suffix}{{", metric.name);
        if let Some(line) = text.lines().find(|line| line.starts_with(&prefix)) {
            for label in metric.labels {
                assert!(line.contains(&format!("{label}=\"")), "{line}");
            }
        } else {
            assert!(metric.labels.is_empty(), "{}", metric.name);
        }
    }
    let registered = text.lines().filter(|line| line.starts_with("# TYPE"));
    for line in registered {
        let name = line.split(' ').nth(2).unwrap();
        assert!(
            catalogue().iter().any(|metric| metric.name == name),
            "{name}"
        );
    }
}

// ===== requests =====

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

#[tokio::test(start_paused = true)]
async fn readiness_passes_through_in_both_directions() {
    let metrics = Metrics::new();
    let layer = HttpMetricsLayer::new(&metrics).unwrap();
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<()>, Response<Full<Bytes>>, _>(layer);
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready!(service.poll_ready()).unwrap();
    let mut call = task::spawn(service.call(get("/a")));
    assert_pending!(call.poll());
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::new(Full::from("x")));
    assert!(call.is_woken());
    assert_ready!(call.poll()).unwrap();
}

#[tokio::test]
async fn an_axum_router_takes_the_layer_and_names_the_route() {
    let bench = Bench::new();
    let layer = bench
        .layer
        .clone()
        .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str));
    let router: axum::Router = axum::Router::new()
        .route("/items/{id}", axum::routing::get(|| async { "x" }))
        .layer(layer);
    let request = Request::get("/items/7")
        .body(axum::body::Body::empty())
        .unwrap();
    collect(router.oneshot(request).await.unwrap()).await;
    bench.ended_once("200", "");
}

/// What the layer takes for the end of a body is what a real server leaves of it.
#[tokio::test]
async fn a_server_that_stops_reading_a_sent_body_has_not_cancelled_it() {
    for (method, head, body) in [
        (
            "GET",
            "content-length",
            vec![Step::Data("ab"), Step::Data("c")],
        ),
        (
            "GET",
            "x-no-length",
            vec![Step::Data("ab"), Step::Data("c")],
        ),
        ("HEAD", "content-length", vec![Step::Data("abc")]),
        ("HEAD", "x-no-length", vec![Step::Data("abc")]),
    ] {
        let bench = Bench::new();
        let body = Script(body.into());
        let (mut client, serving) = bench.serve(head, body);
        let request = format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        serving.await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
        assert_eq!(bench.count(method, "", "200", ""), 1.0, "{method} {head}");
        assert_eq!(bench.total(), 1.0);
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_counted_as_cancelled() {
    let bench = Bench::new();
    let (mut client, serving) =
        bench.serve("x-no-length", Script::new([Step::Data("a"), Step::Wait]));
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).await.unwrap();
    assert_eq!(bench.active("GET"), 1.0);
    drop(client);
    serving.await.unwrap();
    assert_eq!(bench.count("GET", "", "200", "cancelled"), 1.0);
    assert_eq!(bench.active("GET"), 0.0);
}

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

// ===== fixtures =====

/// A layer, its metrics, and requests to `/items/{id}`.
struct Bench {
    metrics: Metrics,
    layer: HttpMetricsLayer,
}

impl Bench {
    fn new() -> Self {
        let metrics = Metrics::new();
        let layer = HttpMetricsLayer::new(&metrics).unwrap();
        Self { metrics, layer }
    }

    async fn answer(&self, body: Script) -> Response<ResponseBody<Script>> {
        self.call(Method::GET, move || Response::new(body.clone()))
            .await
    }

    async fn call(
        &self,
        method: Method,
        answer: impl Fn() -> Response<Script>,
    ) -> Response<ResponseBody<Script>> {
        let service = self.layer.layer(service_fn(|_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(answer()))
        }));
        let mut request = get("/items/{id}");
        *request.method_mut() = method;
        service.oneshot(request).await.unwrap()
    }

    /// One connection on which every request gets `body` and three in the header `head`.
    fn serve(
        &self,
        head: &'static str,
        body: Script,
    ) -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let service = self.layer.layer(service_fn(move |_: Request<_>| {
            let response = Response::builder().header(head, "3").body(body.clone());
            std::future::ready(Ok::<_, Infallible>(response.unwrap()))
        }));
        let (client, server) = tokio::io::duplex(1024);
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
        let task = tokio::runtime::Handle::current().spawn(async {
            let _hung_up = connection.await;
        });
        (client, task)
    }

    fn active(&self, method: &str) -> f64 {
        let gauge = format!(r#"http_server_active_requests{{http_request_method="{method}"}}"#);
        value(&self.metrics.render(), &gauge)
    }

    fn count(&self, method: &str, route: &str, status: &str, error: &str) -> f64 {
        let name = "http_server_request_duration_seconds_count";
        value(
            &self.metrics.render(),
            &series(name, method, route, status, error),
        )
    }

    fn total(&self) -> f64 {
        let text = self.metrics.render();
        let counts = text
            .lines()
            .filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
        counts
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    #[track_caller]
    fn ended_once(&self, status: &str, error: &str) {
        assert_eq!(self.count("GET", "/items/{id}", status, error), 1.0);
        assert_eq!(self.total(), 1.0);
        assert_eq!(self.active("GET"), 0.0);
    }
}

/// One request to a service that answers at once, read to its end.
fn exchange<S, B>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body + Unpin,
{
    let future = std::pin::pin!(service.call(request));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Ok(response)) = future.poll(&mut cx) else {
        panic!("the service answers at once");
    };
    let mut body = response.into_body();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
        drop(frame);
    }
}

fn get(route: &str) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(MatchedRoute::new(route));
    request
}

fn full(body: &'static str) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(body)))
}

async fn collect<B>(response: Response<B>)
where
    B: Body,
    B::Error: std::fmt::Debug,
{
    response.into_body().collect().await.unwrap();
}

fn series(name: &str, method: &str, route: &str, status: &str, error: &str) -> String {
    format!(
        r#"{name}{{error_type="{error}",http_request_method="{method}",http_response_status_code="{status}",http_route="{route}"}}"#
    )
}

/// The value of a series, 0 if it is not there.
fn value(text: &str, series: &str) -> f64 {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    lines.next().map_or(0.0, |value| value.parse().unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    Data(&'static str),
    Trailers,
    Fail,
    Panic,
    Wait,
}

/// A streaming body that does as it is told and knows neither its length nor its end.
#[derive(Clone, Debug)]
struct Script(VecDeque<Step>);

impl Script {
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        Self(steps.into())
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(Bytes::from(data)))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Fail) => Some(Err("broken".into())),
            Some(Step::Panic) => panic!("on purpose"),
            Some(Step::Wait) => {
                self.0.push_front(Step::Wait);
                return Poll::Pending;
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
