//! Contexts in and out of HTTP headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::{Baggage, RequestContext, RequestId, TraceContext, TraceState, current, ows};

/// The header `traceparent`.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header `tracestate`.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The header `baggage`.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// The header `x-request-id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Reads the context that the caller sent, as the server sees it: a new span id, with the caller's
/// as its parent.
///
/// Always answers. A missing, malformed or repeated `traceparent` starts a new trace, and
/// `tracestate` counts only beside a valid `traceparent` (W3C Trace Context §3.3); a malformed
/// `tracestate` is dropped, as are malformed baggage members; a missing, repeated or unacceptable
/// `x-request-id` is replaced by a random one.
///
/// ```
/// use http::HeaderMap;
/// use msf_core::trace;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(
///     trace::TRACEPARENT,
///     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?,
/// );
/// let served = trace::extract(&headers);
/// assert_eq!(served.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(served.parent_span_id(), Some("00f067aa0ba902b7".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn extract(headers: &HeaderMap) -> RequestContext {
    let request_id = only(headers, &X_REQUEST_ID)
        .and_then(|text| RequestId::parse_bytes(text).ok())
        .unwrap_or_else(RequestId::random);
    let caller = only(headers, &TRACEPARENT).and_then(|text| TraceContext::parse_bytes(text).ok());
    let (trace, parent_span_id, trace_state) = match caller {
        Some(caller) => (caller.child(), Some(caller.span_id()), trace_state(headers)),
        None => (TraceContext::root(), None, TraceState::default()),
    };
    let baggage = Baggage::parse_lines(lines(headers, &BAGGAGE));
    RequestContext {
        trace,
        parent_span_id,
        trace_state,
        baggage,
        request_id,
    }
}

/// Writes `context` into the headers of an outgoing request.
///
/// The receiver takes the context's span id for its parent. A client that records a span of its own
/// passes [`context.child()`](RequestContext::child), or
/// [`child_with`](RequestContext::child_with) its span's id; one that records none passes the
/// context as it is, so that the parent is a span that exists.
///
/// All four headers are set or removed, so nothing that an untrusted caller sent slips through a
/// proxy that forwards headers.
///
/// ```
/// use http::HeaderMap;
/// use msf_core::trace::{self, RequestContext};
///
/// let context = RequestContext::root();
/// let mut headers = HeaderMap::new();
/// trace::inject(&context, &mut headers);
/// assert_eq!(headers[trace::TRACEPARENT], context.trace().to_string());
/// assert_eq!(headers[trace::X_REQUEST_ID], context.request_id().as_str());
/// ```
pub fn inject(context: &RequestContext, headers: &mut HeaderMap) {
    headers.insert(TRACEPARENT, context.trace().to_header_value());
    headers.insert(X_REQUEST_ID, context.request_id().to_header_value());
    let (trace_state, baggage) = (context.trace_state().as_str(), context.baggage().as_str());
    // Usually there is neither in the context nor in the headers, and one look costs less than two removals.
    let is_of_these = |name: &HeaderName| *name == TRACESTATE || *name == BAGGAGE;
    if !trace_state.is_empty() || !baggage.is_empty() || headers.keys().any(is_of_these) {
        set_or_remove(headers, TRACESTATE, trace_state);
        set_or_remove(headers, BAGGAGE, baggage);
    }
}

/// Writes the [`current`](super::super::current()) context into the headers of an outgoing request; says
/// whether there is one. Without one the headers stay as they are.
///
/// ```
/// use http::HeaderMap;
/// use msf_core::trace::{self, RequestContext};
///
/// let mut headers = HeaderMap::new();
/// assert!(!trace::inject_current(&mut headers));
/// trace::sync_scope(RequestContext::root(), || assert!(trace::inject_current(&mut headers)));
/// assert_eq!(headers.len(), 2);
/// ```
pub fn inject_current(headers: &mut HeaderMap) -> bool {
    let inject = |context: Option<&RequestContext>| context.map(|it| inject(it, headers)).is_some();
    current::with(inject).unwrap_or(false)
}

/// The trimmed value of a header that stands there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = lines(headers, name);
    let first = lines.next()?;
    lines.next().is_none().then(|| ows::trim(first))
}

fn trace_state(headers: &HeaderMap) -> TraceState {
    TraceState::parse_lines(lines(headers, &TRACESTATE)).unwrap_or_default()
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if text.is_empty() {
        headers.remove(name);
    } else {
        let value = HeaderValue::from_str(text).expect("both grammars allow visible ASCII only");
        headers.insert(name, value);
    }
}
