//! What a `tracing` span becomes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::{
    Key, Value,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use tracing::{Span, error, field, info, info_span};

use crate::telemetry::{
    LogConfig, TelemetrySetup,
    lines::LineStyle,
    otlp::{OtlpConfig, pipeline::start},
    tests::Bench,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SERVER: &str = "00f067aa0ba902b7";
const CLIENT: &str = "b7ad6b7169203331";

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn export(config: &OtlpConfig, work: impl FnOnce()) -> Vec<SpanData> {
    let kept = Kept::default();
    let mut setup = TelemetrySetup::new(&LogConfig::default());
    setup.exporter = Some(start(kept.clone(), config));
    let bench = Bench::new(setup, LineStyle::Json);
    bench.run(work);
    let stats = bench.telemetry.stats();
    let telemetry = bench.telemetry;
    telemetry
        .shutdown_blocking(Duration::from_secs(30))
        .unwrap();
    let spans = std::mem::take(&mut *kept.0.lock().unwrap());
    assert_eq!(stats.exported_spans(), spans.len() as u64);
    assert_eq!(stats.failed_spans(), 0);
    spans
}

fn exported(work: impl FnOnce()) -> Vec<SpanData> {
    export(&OtlpConfig::default(), work)
}

fn attribute(span: &SpanData, key: &'static str) -> Option<Value> {
    let key = Key::from_static_str(key);
    let mut found = span.attributes.iter().filter(|a| a.key == key);
    let value = found.next().map(|a| a.value.clone());
    assert!(found.next().is_none(), "{key} twice");
    value
}

fn server() -> Span {
    info_span!(
        "request",
        trace_id = %TRACE,
        span_id = %SERVER,
        parent_span_id = field::Empty,
        otel.name = "GET",
        otel.kind = "server",
        http.request.method = "GET",
        http.response.status_code = field::Empty,
        error.r#type = field::Empty,
    )
}

#[test]
fn ids_are_the_ones_in_the_fields() {
    let spans = exported(|| {
        let server = server();
        server.record("parent_span_id", "ffffffffffffffff");
        let _server = server.enter();
        let _charge = info_span!("charge").entered();
        let _client = info_span!(
            "call",
            trace_id = TRACE,
            span_id = CLIENT,
            otel.kind = "client"
        )
        .entered();
    });
    let [client, charge, server] = &spans[..] else {
        panic!("{spans:?}");
    };
    for span in &spans {
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert!(span.span_context.is_sampled());
        assert!(span.end_time >= span.start_time);
    }
    assert_eq!(server.span_context.span_id().to_string(), SERVER);
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(charge.parent_span_id.to_string(), SERVER);
    assert_eq!(charge.name, "charge");
    assert_eq!(charge.span_kind, SpanKind::Internal);
    assert_eq!(client.span_context.span_id().to_string(), CLIENT);
    assert_eq!(client.parent_span_id, charge.span_context.span_id());
    assert!(!client.parent_span_is_remote);
    assert_eq!(client.span_kind, SpanKind::Client);
}

#[test]
fn a_parent_that_is_no_span_here_is_remote() {
    let spans = exported(|| {
        drop(info_span!(
            "request",
            trace_id = TRACE,
            span_id = SERVER,
            parent_span_id = CLIENT
        ));
        drop(info_span!("request", trace_id = TRACE, span_id = SERVER));
    });
    assert_eq!(spans[0].parent_span_id.to_string(), CLIENT);
    assert!(spans[0].parent_span_is_remote);
    assert_eq!(spans[1].parent_span_id, SpanId::INVALID);
    assert!(!spans[1].parent_span_is_remote);
}

#[test]
fn a_trace_inside_another_is_its_own() {
    let other = TRACE.replace('4', "5");
    let spans = exported(|| {
        let _server = server().entered();
        drop(info_span!("job", trace_id = %other));
    });
    assert_eq!(spans[0].span_context.trace_id().to_string(), other);
    assert_eq!(spans[0].parent_span_id, SpanId::INVALID);
}

#[test]
fn name_attributes_and_status_are_the_last_recorded() {
    let spans = exported(|| {
        let span = server();
        span.record("otel.name", "GET /orders/{id}");
        span.record("http.response.status_code", 200);
        span.record("http.response.status_code", 503);
        span.record("error.type", "breaker_open");
    });
    let span = &spans[0];
    assert_eq!(span.name, "GET /orders/{id}");
    assert_eq!(span.status, Status::error(""));
    assert_eq!(attribute(span, "http.request.method"), Some("GET".into()));
    assert_eq!(
        attribute(span, "http.response.status_code"),
        Some(503.into())
    );
    assert_eq!(attribute(span, "error.type"), Some("breaker_open".into()));
    for hidden in ["trace_id", "span_id", "otel.name", "otel.kind"] {
        assert_eq!(attribute(span, hidden), None);
    }
}

#[test]
fn what_is_not_sampled_is_not_exported_with_all_inside_it() {
    let spans = exported(|| {
        for unsampled in [
            info_span!("a", trace_id = TRACE, span_id = SERVER, sampled = false),
            info_span!("b", trace_id = TRACE, span_id = SERVER, trace_flags = "00"),
            info_span!("c", trace_id = TRACE, span_id = SERVER, trace_flags = 2),
        ] {
            let _unsampled = unsampled.entered();
            let _inner = info_span!("inner").entered();
            drop(info_span!(
                "inner",
                trace_id = TRACE,
                span_id = CLIENT,
                sampled = true
            ));
            info!("x");
        }
        drop(info_span!(
            "kept",
            trace_id = TRACE,
            span_id = SERVER,
            trace_flags = "01"
        ));
        drop(info_span!(
            "kept",
            trace_id = TRACE,
            span_id = SERVER,
            sampled = true
        ));
    });
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["kept", "kept"]);
}

#[test]
fn the_ratio_chooses_by_trace_id() {
    let config = OtlpConfig {
        sample_ratio: 0.5,
        ..OtlpConfig::default()
    };
    let spans = export(&config, || {
        for trace in [
            "000000000000000100000000000000ff",
            "00000000000000017fffffffffffffff",
            "00000000000000018000000000000000",
            "0000000000000001ffffffffffffffff",
        ] {
            drop(info_span!("s", trace_id = trace, span_id = SERVER));
        }
    });
    assert_eq!(spans.len(), 2);
    let none = OtlpConfig {
        sample_ratio: 0.0,
        ..OtlpConfig::default()
    };
    assert!(export(&none, || drop(server())).is_empty());
}

#[test]
fn spans_outside_a_trace_start_one_only_if_asked() {
    let work = || {
        let _root = info_span!("start-up").entered();
        drop(info_span!("migrate"));
    };
    assert!(exported(work).is_empty());

    let config = OtlpConfig {
        root_spans: true,
        ..OtlpConfig::default()
    };
    let spans = export(&config, work);
    let [migrate, root] = &spans[..] else {
        panic!("{spans:?}");
    };
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    assert_eq!(migrate.parent_span_id, root.span_context.span_id());
    assert_eq!(
        migrate.span_context.trace_id(),
        root.span_context.trace_id()
    );
}

#[test]
fn events_are_kept_up_to_a_bound_except_access_events() {
    let spans = exported(|| {
        let _server = server().entered();
        info!(target: "msf::access", "request");
        error!(target: "orders", amount = 7, ratio = 0.5, "cannot pay");
        info!(amount = u64::MAX);
        (0..130).for_each(|n| info!(n));
    });
    let events = &spans[0].events;
    assert_eq!((events.len(), events.dropped_count), (128, 4));
    assert_eq!(events[0].name, "cannot pay");
    let text = format!("{:?}", events[0].attributes);
    for part in [
        "\"amount\"",
        "I64(7)",
        "F64(0.5)",
        "\"ERROR\"",
        "\"orders\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(events[1].name.starts_with("event "), "{}", events[1].name);
}

#[test]
fn following_a_span_links_to_it() {
    let spans = exported(|| {
        let batch = info_span!("batch", trace_id = %TRACE.replace('4', "5"), span_id = CLIENT);
        let message = server();
        batch.follows_from(&message);
        batch.follows_from(info_span!("not traced").id());
    });
    let batch = spans.iter().find(|span| span.name == "batch").unwrap();
    assert_eq!(batch.links.len(), 1);
    assert_eq!(batch.links[0].span_context.span_id().to_string(), SERVER);
}

#[test]
fn a_long_text_is_cut() {
    let spans = exported(|| {
        drop(info_span!("s", trace_id = TRACE, text = "ä".repeat(3000)));
    });
    let Some(Value::String(text)) = attribute(&spans[0], "text") else {
        panic!("no text");
    };
    assert_eq!(text.as_str().len(), 4096);
}

#[test]
fn traces_do_not_depend_on_the_log_level() {
    let kept = Kept::default();
    let log = LogConfig {
        level: "off".to_owned(),
        ..LogConfig::default()
    };
    let mut setup = TelemetrySetup::new(&log);
    setup.exporter = Some(start(kept.clone(), &OtlpConfig::default()));
    let bench = Bench::new(setup, LineStyle::Json);
    bench.run(|| drop(server()));
    bench
        .telemetry
        .shutdown_blocking(Duration::from_secs(30))
        .unwrap();
    assert_eq!(kept.0.lock().unwrap().len(), 1);
}
