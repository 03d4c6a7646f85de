//! `TraceLayer` from the outside: fields, events, cancellation, propagation, cost.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees helpers of tests as production code"
)]

mod body;
mod capture;
mod cost;
mod ending;
mod layer;
mod span;

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use msf_core::trace::{Trace, TraceLayer, X_REQUEST_ID};
use tower::{Service, service_fn};
use tower_layer::Layer;

use self::body::Script;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

type Incoming = Request<Empty<Bytes>>;

/// A request of the caller `PARENT` named `order-17`, with a secret in its query.
fn request() -> Incoming {
    Request::builder()
        .uri("/orders/17?token=secret")
        .header("traceparent", PARENT)
        .header(X_REQUEST_ID, HeaderValue::from_static("order-17"))
        .header("user-agent", "probe/1.0")
        .body(Empty::new())
        .unwrap()
}

/// A traced service that answers at once.
fn answering(
    layer: TraceLayer,
    status: StatusCode,
    body: fn() -> Script,
) -> Trace<
    impl Service<
        Incoming,
        Response = Response<Script>,
        Error = Infallible,
        Future = Ready<Result<Response<Script>, Infallible>>,
    > + Clone,
> {
    layer.layer(service_fn(move |_| {
        let mut response = Response::new(body());
        *response.status_mut() = status;
        ready(Ok(response))
    }))
}
