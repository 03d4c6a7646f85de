//! The server span, by OpenTelemetry's HTTP conventions.

use std::fmt;

use http::{Method, Request, StatusCode, Version, header::USER_AGENT, uri::PathAndQuery};
use tracing::{
    Span,
    field::{Empty, display},
};

use super::{
    super::{RequestContext, SpanId, hex::Hex},
    config::TraceLayer,
};
use crate::problem::Code;

/// Bytes of `url.path`, and of a path in the access log, at most.
const MAX_PATH_LEN: usize = 1024;
/// Bytes of `user_agent.original`, at most.
const MAX_USER_AGENT_LEN: usize = 256;

/// Opens the span. Nothing is formatted unless a subscriber wants it.
pub(super) fn open<B>(
    config: &TraceLayer,
    request: &Request<B>,
    context: &RequestContext,
    route: Option<&str>,
) -> Span {
    let method = method(request.method());
    // Ids as text and not by `Display`: subscribers take a `&str` as it is, and print the other.
    tracing::info_span!(
        target: "msf_core::trace",
        "request",
        otel.kind = "server",
        otel.name = %SpanName { method, route },
        otel.status_code = Empty,
        trace_id = context.trace_id().hex().as_str(),
        span_id = context.span_id().hex().as_str(),
        parent_span_id = context.parent_span_id().map(SpanId::hex).as_ref().map(Hex::as_str),
        trace_flags = context.trace().flags().hex().as_str(),
        request_id = context.request_id().as_str(),
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        url.path = clipped_path(request.uri().path_and_query()),
        url.scheme = request.uri().scheme_str().unwrap_or(config.scheme),
        network.protocol.version = protocol_version(request.version()),
        user_agent.original = user_agent(request),
        error.type = Empty,
    )
}

/// A 4xx leaves the span's status unset: the server did its work.
pub(super) fn record_status(span: &Span, status: StatusCode, code: Option<Code>) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        match code {
            Some(code) => record_error(span, code.as_str()),
            None => record_error(span, status.as_str()),
        }
    }
}

pub(super) fn record_error(span: &Span, error: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error);
}

pub(super) fn record_route(span: &Span, method: &'static str, route: &str) {
    span.record("http.route", route);
    span.record(
        "otel.name",
        display(SpanName {
            method,
            route: Some(route),
        }),
    );
}

/// The method as a label: callers can invent methods, so unknown ones share one name.
pub(super) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        Method::QUERY => "QUERY",
        _ => OTHER_METHOD,
    }
}

/// The path without the query, which may hold secrets.
pub(super) fn clipped_path(target: Option<&PathAndQuery>) -> &str {
    clipped(target.map_or("", PathAndQuery::path), MAX_PATH_LEN)
}

const OTHER_METHOD: &str = "_OTHER";

/// `{method} {route}`, or the method alone where no route is known.
struct SpanName<'a> {
    method: &'static str,
    route: Option<&'a str>,
}

impl fmt::Display for SpanName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The conventions name the span of an unknown method "HTTP".
        f.write_str(if self.method == OTHER_METHOD {
            "HTTP"
        } else {
            self.method
        })?;
        match self.route {
            Some(route) => {
                f.write_str(" ")?;
                f.write_str(route)
            }
            None => Ok(()),
        }
    }
}

fn protocol_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

fn user_agent<B>(request: &Request<B>) -> Option<&str> {
    let text = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(clipped(text, MAX_USER_AGENT_LEN))
}

fn clipped(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_few_values() {
        let name = |text: &str, route| {
            let method = method(&Method::from_bytes(text.as_bytes()).unwrap());
            SpanName { method, route }.to_string()
        };
        assert_eq!(name("GET", Some("/orders/{id}")), "GET /orders/{id}");
        assert_eq!(name("GET", None), "GET");
        assert_eq!(name("BREW", Some("/pot")), "HTTP /pot");
        assert_eq!(method(&Method::from_bytes(b"get").unwrap()), "_OTHER");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(clipped("a\u{e9}b", 2), "a");
        assert_eq!(clipped("a\u{e9}b", 3), "a\u{e9}");
        assert_eq!(clipped("short", 256), "short");
    }
}
