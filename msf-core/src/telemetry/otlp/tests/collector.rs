//! Collectors that work, are away, refuse, and never answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use tokio::runtime::Builder;
use tracing::{debug_span, info_span};

use crate::telemetry::{
    LogConfig, TelemetrySetup,
    lines::LineStyle,
    otlp::{OtlpConfig, ServiceIdentity},
    tests::{Bench, within},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const LONG: Duration = Duration::from_secs(30);

struct Post {
    head: String,
    body: Vec<u8>,
}

/// Answers every request with `status`, on a free port, until the test process ends.
fn collector(status: &'static str) -> (String, Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (posted, posts) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(post) = read(&mut stream) {
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                if posted.send(post).is_err() {
                    return;
                }
            }
        }
    });
    (endpoint, posts)
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.split_once("content-length: ")?.1;
    let length = length.split_once("\r\n")?.0.parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Post { head, body })
}

fn bench(endpoint: &str, change: impl FnOnce(&mut OtlpConfig)) -> Bench {
    let mut config = OtlpConfig {
        endpoint: Some(endpoint.to_owned()),
        interval: LONG,
        ..OtlpConfig::default()
    };
    change(&mut config);
    let service = ServiceIdentity::new("orders")
        .version("1.4.0")
        .instance("orders-7");
    // The exporter's own client logs and makes spans at these levels.
    let log = LogConfig {
        level: "trace".to_owned(),
        ..LogConfig::default()
    };
    let setup = TelemetrySetup::new(&log).otlp(&config, &service).unwrap();
    Bench::new(setup, LineStyle::Json)
}

fn span() {
    drop(info_span!(
        "request",
        trace_id = TRACE,
        span_id = SPAN,
        otel.name = "GET /orders"
    ));
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_collector_gets_our_ids_and_who_we_are() {
    let (endpoint, posts) = collector("200 OK");
    let bench = bench(&endpoint, |_| ());
    bench.run(span);
    let stats = bench.telemetry.stats();
    let runtime = Builder::new_current_thread().build().unwrap();
    let telemetry = bench.telemetry;
    within(LONG, move || runtime.block_on(telemetry.shutdown(LONG))).unwrap();
    let post = posts.recv_timeout(LONG).unwrap();
    assert!(
        post.head.starts_with("post /v1/traces http/1.1\r\n"),
        "{}",
        post.head
    );
    assert!(
        post.head
            .contains("content-type: application/x-protobuf\r\n")
    );
    // Field 1 and 2 of opentelemetry.proto.trace.v1.Span, both length-delimited.
    assert!(contains(
        &post.body,
        &[&[0x0a, 16], &bytes(TRACE)[..]].concat()
    ));
    assert!(contains(
        &post.body,
        &[&[0x12, 8], &bytes(SPAN)[..]].concat()
    ));
    for text in [
        "GET /orders",
        "service.name",
        "orders",
        "service.version",
        "1.4.0",
    ] {
        assert!(contains(&post.body, text.as_bytes()), "{text}");
    }
    assert!(contains(&post.body, b"service.instance.id") && contains(&post.body, b"orders-7"));
    assert_eq!(stats.exported_spans(), 1);
}

#[test]
fn spans_leave_when_the_interval_is_over() {
    let (endpoint, posts) = collector("200 OK");
    let bench = bench(&endpoint, |config| {
        config.interval = Duration::from_millis(20);
    });
    bench.run(span);
    posts.recv_timeout(LONG).unwrap();
}

#[test]
fn the_exporter_does_not_export_itself() {
    let (endpoint, posts) = collector("200 OK");
    let bench = bench(&endpoint, |config| {
        config.interval = Duration::from_millis(10);
        config.root_spans = true;
    });
    bench.run(|| {
        // As the client's transport does, on the client's thread.
        let dispatch = bench.dispatch.clone();
        let name = "reqwest-internal-sync-runtime".to_owned();
        let transport = thread::Builder::new().name(name).spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                let _span = debug_span!("transport").entered();
                tracing::info!("connecting");
            });
        });
        transport.unwrap().join().unwrap();
        drop(info_span!("ours"));
    });
    let post = posts.recv_timeout(LONG).unwrap();
    assert!(contains(&post.body, b"ours") && !contains(&post.body, b"transport"));
    assert!(bench.lines().is_empty());
    assert!(posts.recv_timeout(Duration::from_millis(100)).is_err());
}

#[test]
fn a_collector_that_is_away_costs_a_counter() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let bench = bench(&format!("http://127.0.0.1:{port}"), |_| ());
    bench.run(|| (0..3).for_each(|_| span()));
    let stats = bench.telemetry.stats();
    let telemetry = bench.telemetry;
    within(LONG, move || telemetry.shutdown_blocking(LONG)).unwrap();
    assert_eq!((stats.failed_spans(), stats.exported_spans()), (3, 0));
}

#[test]
fn a_collector_that_refuses_costs_a_counter() {
    let (endpoint, _posts) = collector("503 Service Unavailable");
    let bench = bench(&endpoint, |_| ());
    bench.run(span);
    let stats = bench.telemetry.stats();
    let telemetry = bench.telemetry;
    within(LONG, move || telemetry.shutdown_blocking(LONG)).unwrap();
    assert_eq!((stats.failed_spans(), stats.exported_spans()), (1, 0));
}

#[test]
fn a_collector_that_never_answers_does_not_hold_up_shutdown() {
    let bound = Duration::from_millis(200);
    let current = Builder::new_current_thread().build().unwrap();
    let multi = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    for runtime in [current, multi] {
        // The system accepts for us, and nobody reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bench = bench(&endpoint, |config| config.timeout = LONG);
        bench.run(span);
        let telemetry = bench.telemetry;
        let started = tokio::time::Instant::now();
        let error = within(LONG, move || runtime.block_on(telemetry.shutdown(bound))).unwrap_err();
        assert!(error.spans && !error.lines, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(listener);
    }
}

#[test]
fn a_full_queue_drops_and_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let bench = bench(&endpoint, |config| {
        config.queue_spans = 4;
        config.timeout = LONG;
    });
    bench.run(|| (0..10).for_each(|_| span()));
    assert_eq!(bench.telemetry.stats().dropped_spans(), 6);
    let telemetry = bench.telemetry;
    within(LONG, move || drop(telemetry));
}

#[test]
fn spans_after_shutdown_are_counted_as_dropped() {
    let (endpoint, _posts) = collector("200 OK");
    let bench = bench(&endpoint, |_| ());
    let stats = bench.telemetry.stats();
    let telemetry = bench.telemetry;
    telemetry.shutdown_blocking(LONG).unwrap();
    tracing::dispatcher::with_default(&bench.dispatch, span);
    assert_eq!(stats.dropped_spans(), 1);
}

#[test]
fn no_endpoint_means_no_export() {
    let service = ServiceIdentity::new("orders");
    let setup = TelemetrySetup::new(&LogConfig::default());
    let setup = setup.otlp(&OtlpConfig::default(), &service).unwrap();
    assert!(setup.exporter.is_none());
}
