//! A fallback: another answer where there would be none.
//!
//! A page without recommendations is a page; a page that fails because its recommendations did is none. A fallback
//! answers for a service that failed or was not asked: with a value, with what a closure makes of the outcome, or
//! by another service.
//!
//! ```
//! use std::convert::Infallible;
//! use http::{Request, Response, StatusCode};
//! use msf_resilience::fallback::{self, Cause, Fallback, FallbackLayer, FellBack};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let old = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("from the replica")) });
//! let new = service_fn(|_: Request<()>| async {
//!     let mut failed = Response::new("");
//!     *failed.status_mut() = StatusCode::BAD_GATEWAY;
//!     Ok::<_, Infallible>(failed)
//! });
//! let backup = fallback::service(old, |request: &Request<()>| Some(request.clone()));
//! let layer = FallbackLayer::answering(Fallback::builder("prices").build()?, backup);
//!
//! let answer = layer.layer(new).oneshot(Request::new(())).await?;
//! assert_eq!(*answer.body(), "from the replica");
//! assert_eq!(answer.extensions().get::<FellBack>().unwrap().cause(), Cause::Failure);
//! # Ok(())
//! # }
//! ```
//!
//! # What gets another answer
//!
//! | outcome | another answer |
//! |---|---|
//! | failure: 5xx but 501, an error | yes |
//! | refused inside: open breaker, full bulkhead, shed load | yes |
//! | the caller's fault: 4xx | no: the answer is right |
//! | 429 of the callee | no: its caller should slow down |
//! | the caller's deadline has passed | by a layer's typed error, no: nobody waits |
//!
//! [`classify`](FallbackLayer::classify) moves the border, [`when`](FallbackLayer::when) draws it anew.
//!
//! If the other service fails too, the caller gets the *first* outcome: it says what is wrong, and its `Retry-After`
//! holds. A closure has been given the outcome and decides itself.
//!
//! # It must be seen
//!
//! A fallback that nobody sees hides an outage. Answers of an [`answering`](FallbackLayer::answering) layer carry
//! [`FellBack`] in their extensions, and [`HEADER`] if [`in_header`](FallbackLayer::in_header) is called.
//!
//! # Ordering
//!
//! Outermost of a client's layers: outside of retry and breaker, whose last word it replaces.
//!
//! # Cost
//!
//! On success: a copy of the alternative, which for a closure that captures nothing is none, and of the request where a
//! [`service`] is the alternative. No allocation, no shared word.
//!
//! # Metrics
//!
//! `msf_fallback_answers_total` and `msf_fallback_failed_total`, if [`metrics`](FallbackBuilder::metrics) is given.

mod alternative;
mod decide;
mod error;
mod future;
mod handle;
mod layer;
mod mark;
pub(crate) mod metrics;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    alternative::{Alternative, Backup, BackupFuture, Value, With, service, value, with},
    decide::{Cause, Decide, Failed, When},
    error::InvalidFallback,
    future::ResponseFuture,
    handle::{Fallback, FallbackBuilder},
    layer::FallbackLayer,
    mark::{FellBack, HEADER, Mark, Marked, Unmarked},
    service::FallbackService,
};
