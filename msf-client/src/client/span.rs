//! The trace of a call: the headers that carry it on, and a client span where somebody records spans.

use http::{Method, Request, StatusCode};
use msf_core::{
    body::Body,
    name::ServiceName,
    trace::{self, RequestContext},
};
use tracing::{Level, Span, field::Empty};

/// The span of a call, open until the head of the answer.
#[derive(Debug)]
pub(super) struct CallSpan(Span);

/// Writes the trace headers, and opens a span if a subscriber wants it.
///
/// The callee's parent is the span that exists: the new one, or, where none is recorded, that of the
/// request being served. A call outside of any request starts a trace, unless it carries one.
pub(super) fn open(service: &ServiceName, request: &mut Request<Body>) -> CallSpan {
    if !tracing::span_enabled!(target: "msf_client", Level::INFO) {
        // The usual case at an edge that records no client spans: no copy of the context, no new ids.
        if !trace::inject_current(request.headers_mut())
            && let Some(root) = root(request)
        {
            trace::inject(&root, request.headers_mut());
        }
        return CallSpan(Span::none());
    }
    let Some(context) = current_or_root(request) else {
        return CallSpan(Span::none());
    };
    let child = context.child();
    let method = method(request.method());
    let span = tracing::info_span!(
        target: "msf_client",
        "call",
        otel.kind = "client",
        otel.name = %format_args!("{method} {service}"),
        otel.status_code = Empty,
        trace_id = %child.trace_id(),
        span_id = %child.span_id(),
        parent_span_id = %context.span_id(),
        http.request.method = method,
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        server.address = service.as_str(),
        error.type = Empty,
    );
    let sent = if span.is_disabled() { &context } else { &child };
    trace::inject(sent, request.headers_mut());
    CallSpan(span)
}

fn current_or_root(request: &Request<Body>) -> Option<RequestContext> {
    trace::current().or_else(|| root(request))
}

/// A new trace, for a request that carries none.
fn root(request: &Request<Body>) -> Option<RequestContext> {
    let has_own = request.headers().contains_key(trace::TRACEPARENT);
    (!has_own).then(RequestContext::root)
}

impl CallSpan {
    /// How often the request was sent again, if it was.
    pub(super) fn record_resends(&self, resent: u32) {
        if resent > 0 && !self.0.is_disabled() {
            self.0.record("http.request.resend_count", resent);
        }
    }

    pub(super) fn record_status(&self, status: StatusCode) {
        if self.0.is_disabled() {
            return;
        }
        self.0.record("http.response.status_code", status.as_u16());
        // For a client a 4xx is an error too (OpenTelemetry's HTTP conventions).
        if status.is_client_error() || status.is_server_error() {
            self.record_error(status.as_str());
        }
    }

    pub(super) fn record_error(&self, error: &str) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", error);
    }
}

/// The method as a label: callers can invent methods, so unknown ones share one name.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "HTTP",
    }
}
