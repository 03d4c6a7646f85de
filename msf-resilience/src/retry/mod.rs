//! Retries: a call that failed by chance is made again, within a budget.
//!
//! A retry turns a rare failure into a slower success, and an overload into an outage. So this one retries only what is worth it:
//!
//! | it retries | unless |
//! |---|---|
//! | what [`Classify`](msf_core::classify::Classify) calls a failure, or throttled | a layer between refused it (`hint.refused`): neither repeated nor charged, also when it was a retry |
//! | requests that may be made twice: idempotent methods (RFC 9110 section 9.2.2) and those with one `Idempotency-Key` | [`methods`](RetryPolicyBuilder::methods) or [`retry_if`](RetryLayer::retry_if) say otherwise |
//! | bodies up to 64 KiB | they are longer: the request goes out once |
//! | at most twice | the [budget](crate::budget) is used up |
//! | after a wait | the request's [`Deadline`](msf_core::deadline::Deadline) would pass meanwhile, or in the millisecond after: the last answer is given at once |
//!
//! ```
//! use std::{convert::Infallible, sync::atomic::{AtomicU32, Ordering}};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use msf_resilience::retry::{RetryLayer, RetryPolicy};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//! let flaky = service_fn(|_: Request<_>| async {
//!     let mut response = Response::new(Bytes::new());
//!     if CALLS.fetch_add(1, Ordering::Relaxed) == 0 {
//!         *response.status_mut() = StatusCode::BAD_GATEWAY;
//!     }
//!     Ok::<_, Infallible>(response)
//! });
//!
//! let service = RetryLayer::new(RetryPolicy::builder("payment").build()?).layer(flaky);
//! let request = Request::put("/orders/7").body(Full::<Bytes>::from("paid"))?;
//! assert_eq!(service.oneshot(request).await?.status(), 200);
//! assert_eq!(CALLS.load(Ordering::Relaxed), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Waiting
//!
//! Two classes of failure have a [`Backoff`](msf_core::backoff::Backoff) each: *transient* from 50 ms, *throttled* (429, 503 with `Retry-After`) from 1 s,
//! both up to 20 s with full jitter. `Retry-After` is a floor and the jitter comes on top, so that callers who were sent away together
//! do not come back together. A `Retry-After` above [`retry_after_max`](RetryPolicyBuilder::retry_after_max) (20 s) ends the retries: its answer is given to the caller, who knows
//! better whether to wait.
//!
//! # Without tower
//!
//! [`RetryPolicy::begin`] gives a [`Call`] that says after each outcome how long to wait, or why to give up.
//!
//! # Attempts
//!
//! The second and later requests carry an [`Attempt`](crate::Attempt) in their extensions; with [`track_hosts`](RetryPolicyBuilder::track_hosts) the first does,
//! too, and a client can avoid the hosts that failed.
//!
//! # The answer that is dropped
//!
//! A response that is not given to the caller is dropped before the wait, unread. hyper then reads what has arrived of its body
//! and keeps the connection if that was all of it; a longer one costs less to close than to read.
//!
//! # Ordering
//!
//! Outside a breaker and outside the attempt's timeout: each attempt is counted and timed. With a typed breaker inside, judge by
//! [`Through`](crate::Through): `.classify(Through(Http::default()))`.
//!
//! # Cancel safety
//!
//! Dropping the future drops the attempt or the wait, and ends what it holds of the budget. A retry that is dropped during
//! its wait was never made: it is not charged, and not counted as an attempt.
//!
//! # Metrics
//!
//! `msf_retry_attempts_total`, `msf_retry_retries_total` and `msf_retry_give_ups_total`, if [`metrics`](RetryPolicyBuilder::metrics) is given.
//!
//! # Cost
//!
//! A call that succeeds at once clones the service inside and the request, and makes a deposit: no lock, no box. Cloning the head of a request allocates if
//! it has headers or extensions; a request that may not be made twice, or is too long, is not cloned.

mod builder;
mod call;
mod config;
mod decision;
mod error;
mod future;
mod layer;
mod methods;
pub(crate) mod metrics;
mod policy;
mod repeatable;
mod request;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    builder::{Exhausted, RetryPolicyBuilder},
    call::Call,
    config::{Config, Spread, Waits},
    decision::{GiveUp, is_retryable},
    error::{Error, InvalidRetryPolicy},
    future::ResponseFuture,
    layer::RetryLayer,
    methods::Methods,
    policy::RetryPolicy,
    repeatable::{Always, Idempotent, Repeatable},
    request::{Cloned, HttpWith, KeptRequest, Replay, ReplayHttp, Terms},
    service::RetryService,
};
