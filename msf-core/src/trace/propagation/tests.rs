//! What is believed of incoming headers, and what goes out.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::trace::{Baggage, RequestContext, TraceState};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers<const N: usize>(lines: [(&'static str, &[u8]); N]) -> HeaderMap {
    lines
        .into_iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            )
        })
        .collect()
}

fn continues(context: &RequestContext) -> bool {
    context.trace_id().to_string() == PARENT[3..35]
}

#[test]
fn a_valid_caller_is_continued() {
    let headers = headers([
        ("traceparent", PARENT.as_bytes()),
        ("tracestate", b"rojo=1"),
        ("tracestate", b"congo=2"),
        ("baggage", b"a=1"),
        ("baggage", b"b=2"),
        ("x-request-id", b"order-17"),
    ]);
    let context = extract(&headers);
    assert!(continues(&context));
    assert_eq!(
        context.parent_span_id().unwrap().to_string(),
        PARENT[36..52]
    );
    assert_ne!(Some(context.span_id()), context.parent_span_id());
    assert_eq!(context.trace_state().as_str(), "rojo=1,congo=2");
    assert_eq!(context.baggage().as_str(), "a=1,b=2");
    assert_eq!(context.request_id().as_str(), "order-17");
}

#[test]
fn white_space_around_traceparent_is_trimmed() {
    let padded = format!("\t {PARENT} \t");
    assert!(continues(&extract(&headers([(
        "traceparent",
        padded.as_bytes()
    )]))));
}

/// W3C Trace Context §3.3: without a valid traceparent, tracestate is not even read; §4.2 restart.
#[test]
fn a_bad_traceparent_restarts_the_trace_without_its_state() {
    let junk = vec![b'x'; 8192];
    let cases: [&[u8]; 4] = [b"", b"\xff\xfe", &junk, b"00-zz-zz-01"];
    for traceparent in cases {
        let context = extract(&headers([
            ("traceparent", traceparent),
            ("tracestate", b"rojo=1"),
            ("baggage", b"a=1"),
        ]));
        assert_eq!(context.parent_span_id(), None);
        assert!(context.trace_state().is_empty());
        assert_eq!(
            context.baggage().as_str(),
            "a=1",
            "baggage does not need a trace"
        );
    }
}

#[test]
fn two_traceparents_restart_the_trace() {
    let context = extract(&headers([
        ("traceparent", PARENT.as_bytes()),
        ("traceparent", PARENT.as_bytes()),
    ]));
    assert!(!continues(&context));
    assert_eq!(context.parent_span_id(), None);
}

/// W3C Trace Context §3.3: a bad tracestate must not affect traceparent.
#[test]
fn a_bad_tracestate_leaves_the_trace_alone() {
    let hundred = (0..100)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let cases: [&[u8]; 3] = [hundred.as_bytes(), b"\xff=1", b"UPPER=1"];
    for tracestate in cases {
        let lines = [
            ("traceparent", PARENT.as_bytes()),
            ("tracestate", tracestate),
        ];
        let context = extract(&headers(lines));
        assert!(continues(&context));
        assert!(context.trace_state().is_empty());
    }
}

#[test]
fn an_unacceptable_request_id_is_replaced() {
    let long = [b'a'; 65];
    for line in [&b"a b"[..], b"", b"\xff", b"x\ty", &long] {
        let id = extract(&headers([("x-request-id", line)]))
            .request_id()
            .clone();
        assert_eq!(id.as_str().len(), 32, "{line:?}");
    }
    let twice = [("x-request-id", &b"a"[..]), ("x-request-id", b"a")];
    let id = extract(&headers(twice)).request_id().clone();
    assert_eq!(id.as_str().len(), 32);
}

#[test]
fn injected_headers_replace_what_was_forwarded() {
    let mut outgoing = headers([
        ("traceparent", b"forged"),
        ("traceparent", b"twice"),
        ("tracestate", b"forged=1"),
        ("baggage", b"admin=true"),
        ("x-request-id", b"forged"),
        ("accept", b"*/*"),
    ]);
    let context = RequestContext::root();
    inject(&context, &mut outgoing);
    assert_eq!(outgoing.len(), 3);
    assert_eq!(outgoing[TRACEPARENT], context.trace().to_string());
    assert_eq!(outgoing[X_REQUEST_ID], context.request_id().as_str());
    assert!(outgoing.contains_key("accept"));
}

#[test]
fn a_context_survives_the_wire() {
    let sent = RequestContext::root()
        .with_trace_state(TraceState::parse("rojo=1,congo=2").unwrap())
        .with_baggage(Baggage::parse("tenant=north%20sea;ttl=3"));
    let mut headers = HeaderMap::new();
    inject(&sent, &mut headers);
    let served = extract(&headers);
    assert_eq!(served.trace_id(), sent.trace_id());
    assert_eq!(served.trace().flags(), sent.trace().flags());
    assert_eq!(served.parent_span_id(), Some(sent.span_id()));
    assert_eq!(served.trace_state(), sent.trace_state());
    assert_eq!(served.baggage(), sent.baggage());
    assert_eq!(served.request_id(), sent.request_id());
}

proptest! {
    #[test]
    fn any_headers_give_a_context_that_can_be_sent(
        lines in prop::collection::vec((0usize..4, prop::collection::vec(any::<u8>(), 0..200)), 0..8)
    ) {
        let names = [TRACEPARENT, TRACESTATE, BAGGAGE, X_REQUEST_ID];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(names[name].clone(), value);
            }
        }
        let context = extract(&headers);
        inject(&context, &mut headers);
        let again = extract(&headers);
        prop_assert_eq!(again.trace_id(), context.trace_id());
        prop_assert_eq!(again.request_id(), context.request_id());
    }
}
