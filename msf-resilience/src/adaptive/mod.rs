//! Adaptive concurrency: a limit on calls in flight that finds its number itself, from how long calls take.
//!
//! A fixed limit is right for one day. By Little's law the concurrency that a callee can use is its rate times its
//! latency, and both change with every release and every neighbour. An adaptive limit measures: while more calls in flight
//! do not make calls slower it grows; once they only queue at the callee it shrinks.
//!
//! ```
//! use std::time::Duration;
//! use msf_core::classify::Classification;
//! use msf_resilience::adaptive::{AdaptiveLimit, Vegas};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limit = AdaptiveLimit::builder("search").algorithm(Vegas::new().initial(10)).build()?;
//! for _ in 0..100 {
//!     let permits: Vec<_> = std::iter::from_fn(|| limit.try_acquire().ok()).collect();
//!     tokio::time::advance(Duration::from_millis(50)).await; // as fast as ever, however many
//!     for permit in permits {
//!         permit.complete(&Classification::SUCCESS);
//!     }
//! }
//! assert!(limit.snapshot().limit() > 50);
//! # Ok(())
//! # }
//! ```
//!
//! # Algorithms
//!
//! They are pure values behind the trait [`Limit`], fed with one [`Window`] of calls at a time.
//!
//! | algorithm | looks at | good for |
//! |---|---|---|
//! | [`Vegas`] | the queue that the least latency implies | the default: a callee with a knee |
//! | [`Gradient2`] | short against long-term latency | latencies that drift or have two humps |
//! | [`Aimd`] | failures and a latency that is too long | callees that fail fast when they are full |
//! | [`Fixed`] | nothing | a comparison, an emergency |
//!
//! None of them ever lowers the concurrency in order to measure.
//!
//! | knob | default | why |
//! |---|---|---|
//! | `algorithm` | `Vegas`, 20 to begin with, 4 to 1000 | finds the knee without being told a latency |
//! | `window` | 250 ms | four steps a second; long against most latencies |
//! | `min_calls` | 10 | a window with fewer calls goes on: one slow call is no trend |
//!
//! # What counts
//!
//! The [`Classify`](msf_core::classify::Classify) of the layer decides: a success is a sample of the latency; a failure, and whatever is
//! [throttled](msf_core::classify::Hint::throttled), is a *drop* (a window with more than one in twenty is evidence of
//! overload); what is ignored or was refused by another layer leaves no trace. The latency is measured until the
//! response's head, also if the permit [rides on the body](AdaptiveLayer::until_body_end).
//!
//! A window in which less than half of the limit was in flight does not raise it: nothing was tried.
//!
//! # Cancel safety
//!
//! A future that is dropped gives its permit back. It counts only if it has lasted longer than the calls of the last
//! window did on average, and then with the time so far: if nobody has the patience to wait for slow calls, their slowness must be
//! seen all the same.
//!
//! # Ordering
//!
//! As a [`bulkhead`](crate::bulkhead): inside of retries, and outside of the timeout of an attempt, whose errors are drops. A
//! [load shed](crate::load_shed) around it can take the limit as its signal, so that what matters less is refused first.
//!
//! # Metrics
//!
//! `msf_adaptive_calls_total`, `msf_adaptive_refused_total`, `msf_adaptive_in_flight`, `msf_adaptive_limit` and
//! `msf_adaptive_latency_seconds`, if [`metrics`](AdaptiveLimitBuilder::metrics) is given.
//!
//! # Cost
//!
//! A call reads the clock twice and writes to words of its own thread: no allocation and no lock that it waits for. Once per
//! window one call, whichever comes first, feeds the algorithm; others do not wait for it.

mod builder;
mod error;
mod future;
mod handle;
mod layer;
mod limits;
pub(crate) mod metrics;
mod permit;
mod sampler;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    builder::AdaptiveLimitBuilder,
    error::{Error, InvalidAdaptiveLimit, LimitReached},
    future::ResponseFuture,
    handle::{AdaptiveLimit, Snapshot},
    layer::AdaptiveLayer,
    limits::{Aimd, Fixed, Gradient2, InvalidLimit, Limit, Vegas, Window},
    permit::Permit,
    service::AdaptiveService,
};
