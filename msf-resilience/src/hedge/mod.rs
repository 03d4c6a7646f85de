//! Hedging: a slow call is made a second time, and the first good answer counts.
//!
//! One slow host, one packet lost, one pause of a collector: the slowest hundredth of the calls has reasons that another
//! attempt does not share. Waiting until a call is slower than most and then asking again cuts that tail, for a
//! few per cent more calls (Dean, Barroso: "The Tail at Scale", 2013).
//!
//! ```
//! use std::time::Duration;
//! use msf_resilience::{budget::Budget, hedge::{HedgeLayer, HedgePolicy}};
//!
//! let budget = Budget::builder("search").build()?; // for the retries of the same callee, too
//! let hedge = HedgePolicy::builder("search")
//!     .after_quantile(0.95)
//!     .min_delay(Duration::from_millis(5))
//!     .budget(budget)
//!     .build()?;
//! let layer = HedgeLayer::answering(hedge);
//! # let _ = layer;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | knob | default | why |
//! |---|---|---|
//! | `after_quantile` | 0.95 | at most one call in twenty is hedged |
//! | `min_samples` | 100 | the 95th of fewer is a guess; until then nothing is hedged |
//! | `min_delay` | 1 ms | a callee that answers from memory needs no help |
//! | `window` | 30 s | the delay follows a callee that becomes slower, within a minute |
//! | `max_hedges` | 1 | the second attempt gives almost all of the gain |
//! | `budget` | a tenth of the calls, and one per second | when everything is slow, hedging everything makes it slower |
//!
//! # Rules
//!
//! - **The first good answer wins**; the other attempts are dropped at once, which is *cancelled* to a breaker inside.
//! - **A failure does not win** while another attempt is under way. Nor does a refusal: an open breaker or a full bulkhead
//!   in the way of the second attempt leaves the first alone. An attempt that still waits for the service to become ready is not under way.
//! - **If no attempt is good**, the caller gets the first attempt's outcome; if that was refused inside and another
//!   attempt reached the callee, the other's.
//! - **A first attempt that fails** before the delay is not hedged: repeating failures is for retries.
//! - **When the budget is used up** the first attempt goes on as if nothing had been asked.
//! - **Only idempotent requests** are hedged, without a body, unless a closure says otherwise.
//! - **A deadline** that comes before the delay leaves nothing to hedge.
//!
//! # Latencies
//!
//! Observed are the latencies of first attempts that were good, exact to a sixteenth. One that was cut off by a better
//! attempt, or by a caller who gave up after the delay (hedged or not), counts with the time it had taken: leaving out the slow ones would make the
//! delay shrink with every hedge.
//!
//! # Ordering
//!
//! Inside of retry, which then repeats what no attempt answered, and with the retry's budget
//! [without deposits](crate::budget::Budget::without_deposits), since each call counts once; outside of the breaker and of whatever chooses the host,
//! so that each attempt is counted and may go elsewhere ([`track_hosts`](HedgeLayer::track_hosts)).
//!
//! # Cancel safety
//!
//! Dropping the future drops every attempt, and gives the budget back what counts calls in flight.
//!
//! # Cost
//!
//! The first and second attempt live in the future of the call: a hedge needs no task and no box, and makes the future as large
//! as two calls. While the delay is known, every call that may be hedged costs a clone of the service, of the request and of the
//! budget's handle; a request without headers is cloned without allocating. A timer is made only when the first poll does not answer.
//!
//! # Metrics
//!
//! `msf_hedge_calls_total`, `msf_hedge_attempts_total`, `msf_hedge_won_total`, `msf_hedge_refused_total` and `msf_hedge_delay_seconds`,
//! if [`metrics`](HedgeBuilder::metrics) is given.

mod builder;
mod config;
mod error;
mod future;
mod histogram;
mod hot;
mod layer;
pub(crate) mod metrics;
mod policy;
mod repeat;
mod service;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    builder::HedgeBuilder,
    config::Config,
    error::InvalidHedge,
    future::ResponseFuture,
    layer::HedgeLayer,
    policy::HedgePolicy,
    repeat::{Idempotent, Repeat},
    service::HedgeService,
};
