//! The deadline of a request: read at the door, enforced, and passed on.
//!
//! A caller that waits no longer makes every further work on its request a waste, in this service and in all that it
//! calls. So the time left travels with the request. On the way in, [`DeadlineLayer`] reads it from the headers (`x-msf-timeout-ms`,
//! `grpc-timeout`), keeps it within a [maximum](DeadlineLayer::max), puts it as [`Deadline`](msf_core::deadline::Deadline) into the request's
//! extensions, and ends the work when it passes. On the way out, [`inject`](DeadlineLayer::inject) writes what is left
//! into the headers, less a margin for the way back, and makes no call that cannot come back in time.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use http::{Request, Response};
//! use msf_core::deadline::Deadline;
//! use msf_resilience::deadline::DeadlineLayer;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inbound = DeadlineLayer::new().max(Duration::from_secs(30));
//! let outbound = DeadlineLayer::new().inject(Duration::from_millis(20));
//!
//! let callee = service_fn(|request: Request<()>| async move {
//!     Ok::<_, Infallible>(Response::new(request.headers()["x-msf-timeout-ms"].clone()))
//! });
//! let service = inbound.layer(outbound.layer(callee));
//!
//! let request = Request::builder().header("x-msf-timeout-ms", "500").body(())?;
//! assert_eq!(service.oneshot(request).await?.body(), "480");
//! # Ok(())
//! # }
//! ```
//!
//! # When it has passed
//!
//! Already at arrival, or with nothing left after the margin: the service inside is not called. Meanwhile: the call inside is dropped.
//! Either way the answer is `deadline_exceeded` (504), or [`Error::Exceeded`] from the typed layer, which
//! [`Through`](crate::Through) ignores: it says nothing about the callee.
//!
//! When the caller hangs up, the server drops the request's future and everything in it; no layer is needed for that.
//!
//! # Ordering
//!
//! On a server outermost, before anything that queues. On a client twice, if at all: outermost with a [`default`](DeadlineLayer::default_timeout) as the total
//! time of all attempts, and `inject` innermost, so that every attempt sends what is left when it is made.
//!
//! # Cancel safety
//!
//! Dropping the future drops the call inside.
//!
//! # Metrics
//!
//! `msf_deadline_exceeded_total`, if [`metrics`](DeadlineLayer::metrics) is given.

mod config;
mod error;
mod future;
mod layer;
pub(crate) mod metrics;
mod service;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    config::Config, error::Error, future::ResponseFuture, layer::DeadlineLayer,
    service::DeadlineService,
};
