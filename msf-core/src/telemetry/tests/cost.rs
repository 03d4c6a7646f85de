//! What a span and an event cost the thread that makes them.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{field, info, info_span};

use super::Bench;
use crate::telemetry::{LogConfig, TelemetrySetup, lines::LineStyle};

fn request() -> tracing::Span {
    info_span!(
        "request",
        trace_id = %"4bf92f3577b34da6a3ce929d0e0e4736",
        span_id = %"00f067aa0ba902b7",
        parent_span_id = %"b7ad6b7169203331",
        request_id = "0190163d-8694-739b-aea5-966c26f8ad91",
        otel.name = "GET",
        otel.kind = "server",
        http.request.method = "GET",
        url.path = "/orders/7",
        url.scheme = "http",
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        error.r#type = field::Empty,
    )
}

fn answer(span: &tracing::Span) {
    span.record("http.route", "/orders/{id}");
    span.record("http.response.status_code", 200);
}

fn access(span: &tracing::Span) {
    info!(target: "msf::access", parent: span, duration_ms = 1.25, bytes = 512, "request");
}

#[test]
fn a_span_takes_two_allocations_and_an_event_one() {
    let bench = Bench::json();
    bench.run(|| {
        for _ in 0..64 {
            let span = request();
            answer(&span);
            access(&span);
        }
        let mut span = None;
        let made = allocation_counter::measure(|| span = Some(request()));
        let span = span.unwrap();
        let recorded = allocation_counter::measure(|| answer(&span));
        let written = allocation_counter::measure(|| access(&span));
        assert!(made.count_total <= 2, "span: {made:?}");
        assert_eq!(recorded.count_total, 0, "record: {recorded:?}");
        assert!(written.count_total <= 1, "event: {written:?}");
    });
}

#[test]
#[ignore = "prints times; run it with --release --ignored --nocapture"]
fn time_per_request() {
    let setup = TelemetrySetup::new(&LogConfig::default());
    let (dispatch, telemetry) = setup.build(std::io::sink(), LineStyle::Json, None).unwrap();
    // Bursts that fit the queue, the writer asleep meanwhile: the times of this thread and no
    // other.
    let (rounds, burst) = (200, 1000);
    tracing::dispatcher::with_default(&dispatch, || {
        let measure = |name: &str, work: &dyn Fn()| {
            let mut total = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                (0..burst).for_each(|_| work());
                total += start.elapsed();
                assert!(telemetry.flush_lines(Duration::from_secs(60)));
            }
            println!("{name}: {:?}", total / (rounds * burst));
        };
        measure("span, opened and closed", &|| drop(request()));
        measure("span with outcome recorded", &|| answer(&request()));
        measure("span, outcome and access event", &|| {
            let span = request();
            answer(&span);
            access(&span);
        });
        let span = request();
        answer(&span);
        measure("event in a span", &|| access(&span));
        measure("event outside", &|| {
            info!(duration_ms = 1.25, bytes = 512, "request");
        });
    });
    println!("dropped: {}", telemetry.dropped_lines());
}
