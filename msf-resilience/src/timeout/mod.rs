//! A timeout for one attempt.
//!
//! A call that hangs holds a connection, a permit and its caller. The timeout ends it: the future inside is dropped
//! the moment the time is over, and the caller gets an [`Elapsed`] or a 504.
//!
//! ```
//! use std::{convert::Infallible, future::pending, time::Duration};
//! use msf_resilience::timeout::{Error, TimeoutLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let layer = TimeoutLayer::new(Duration::from_millis(300));
//! let service = layer.layer(service_fn(|_: ()| pending::<Result<(), Infallible>>()));
//!
//! let Err(Error::Elapsed(elapsed)) = service.oneshot(()).await else { panic!() };
//! assert_eq!(elapsed.after(), Some(Duration::from_millis(300)));
//! # }
//! ```
//!
//! # The timer is lazy
//!
//! The service inside is polled first, and the time begins at that first poll. What is ready at once costs neither a timer nor a reading of the clock.
//! A timeout of zero therefore lets through what is ready at once, and nothing else.
//!
//! # Timeout and deadline
//!
//! A timeout belongs to one attempt, a [`Deadline`](msf_core::deadline::Deadline) to the request with all its attempts. [`until_deadline`](TimeoutLayer::until_deadline) -
//! [`answering`](TimeoutLayer::answering) includes it - makes an attempt end with the deadline of the HTTP request if that is earlier. Such an
//! end is the caller's doing, so it says nothing about the callee: code `deadline_exceeded` instead of `timeout`, and
//! [`Through`](crate::Through) ignores it.
//!
//! # Ordering
//!
//! Inside a retry and inside a breaker: each attempt has its own time, and a callee that hangs is a failing callee. It limits the
//! call up to the response head, and not the wait until the service inside is ready.
//!
//! # Cancel safety
//!
//! Dropping the future drops the call inside.
//!
//! # Metrics
//!
//! `msf_timeout_elapsed_total`, if [`metrics`](TimeoutLayer::metrics) is given.

mod error;
mod future;
mod layer;
pub(crate) mod metrics;
mod service;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    error::{Elapsed, Error},
    future::ResponseFuture,
    layer::{Limit, NoDeadline, RequestDeadline, TimeoutLayer},
    service::TimeoutService,
};
