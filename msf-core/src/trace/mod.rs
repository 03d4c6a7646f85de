//! One request, followed through every service: trace context, baggage, request id, access log.
//!
//! # Why
//!
//! A request that fails three services away is found only if all of them wrote down the same id. The
//! W3C settled how that id travels: [`traceparent`](TRACEPARENT) and [`tracestate`](TRACESTATE)
//! (Trace Context), and [`baggage`](BAGGAGE). This module reads and writes those headers, and
//! `x-request-id` for people, with plain types of its own. Exporters such as OTLP build on it; none
//! is needed to correlate logs.
//!
//! # How
//!
//! [`TraceLayer`] wraps a server. For each request it
//!
//! 1. reads the caller's headers, or starts a trace, into one [`RequestContext`];
//! 2. leaves it in the request's extensions and makes it [`current`] whenever the inner service's
//!    future and the response body are polled;
//! 3. opens one `tracing` span, which stays open until the response body ends or is dropped;
//! 4. answers with `x-request-id`, and writes one line to the access log at the end.
//!
//! Clients call [`inject_current`], or [`inject`] with a [`child`](RequestContext::child) if they
//! record a span of their own. A spawned task takes the context along in [`scope`].
//!
//! ```
//! use http::{Request, Response};
//! use msf_core::trace::{self, TraceLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(TraceLayer::new())
//!     .service(service_fn(async |_: Request<()>| {
//!         let context = trace::current().expect("a request is being served");
//!         let mut outgoing = http::HeaderMap::new();
//!         trace::inject_current(&mut outgoing);
//!         assert_eq!(outgoing[trace::TRACEPARENT], context.trace().to_string());
//!         Ok::<_, std::convert::Infallible>(Response::new(String::from("done")))
//!     }));
//!
//! let request = Request::builder()
//!     .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
//!     .header("x-request-id", "order-17")
//!     .body(())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.headers()["x-request-id"], "order-17");
//! # Ok(())
//! # }
//! ```
//!
//! # The span
//!
//! Target `msf_core::trace`, level INFO, named after OpenTelemetry's HTTP conventions: `otel.kind`,
//! `otel.name` (`{method} {route}`), `http.request.method`, `http.route`,
//! `http.response.status_code`, `url.path`, `url.scheme`, `network.protocol.version`,
//! `user_agent.original`; and `trace_id`, `span_id`, `parent_span_id`, `trace_flags`, `request_id`.
//! A 5xx sets `error.type` to the status and `otel.status_code` to `ERROR`; so do an error of the
//! inner service or body (`_OTHER`) and a panic (`panic`). A 4xx does not, nor does a caller who left.
//!
//! Queries are never recorded, as they may hold secrets. Methods are a closed list, paths are cut at
//! 1024 bytes, user agents at 256.
//!
//! # The access log
//!
//! One event per request on the target `msf::access`, inside the span, at INFO, or WARN where the
//! span has an `error.type`:
//!
//! | field | |
//! |---|---|
//! | `http.request.method`, `url.path`, `http.route`, `http.response.status_code` | as in the span, which says them once in the JSON lines of this crate; no status if there was no response |
//! | `outcome` | `completed`, `failed`, `cancelled` or `panicked` |
//! | `error.type` | as in the span, only on failure |
//! | `duration_ms` | from the call to the end of the body, in milliseconds with three decimals |
//! | `response_bytes` | data handed to the server, before compression below this layer |
//! | `trace_id`, `request_id` | only if a filter hides the span, which tells them otherwise |
//!
//! # Ordering
//!
//! Outermost, so that what other layers log, answer or delay is inside the span. The route is known
//! only further in: either put the layer behind the router, or let the router leave its template in
//! the response's extensions ([`TraceLayer::route_from`]). Where two layers meet, the inner one
//! makes a child span.
//!
//! # When not to use it
//!
//! For a proxy that should not appear in traces: pass the headers on untouched. At the edge use
//! [`Trust::Nobody`], since anybody can send a `traceparent`.
//!
//! # Cancel safety
//!
//! Dropping the future or the body at any point drops what is inside them within the span, closes
//! the span, and writes the one access event with `outcome = "cancelled"`.
//!
//! # Cost
//!
//! With no subscriber interested: two allocations per request, the value in the extension map and the
//! value of the response header. Neither a clock nor a lock is touched.

mod baggage;
mod context;
mod current;
mod hex;
mod id;
mod layer;
mod ows;
mod propagation;
mod request_context;
mod request_id;
mod state;

pub use self::{
    baggage::{Baggage, BaggageMember, InvalidBaggage},
    context::{InvalidTraceParent, TraceContext, TraceFlags},
    current::{current, current_request_id, scope, sync_scope},
    id::{InvalidId, SpanId, TraceId},
    layer::{AccessLog, ResponseBody, Trace, TraceLayer, Trust, future},
    propagation::{
        BAGGAGE, TRACEPARENT, TRACESTATE, X_REQUEST_ID, extract, inject, inject_current,
    },
    request_context::RequestContext,
    request_id::{InvalidRequestId, RequestId},
    state::{InvalidTraceState, TraceState},
};
