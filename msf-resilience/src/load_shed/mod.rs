//! Load shedding by priority: under overload, what matters least is refused first, and no more of it than needed.
//!
//! A server that is offered more than it can do serves nobody well unless it refuses some. Which, it should choose: a
//! checkout before a recommendation, a person before a batch job. Every request has a [`Priority`]; while the signals say that
//! there is too much, the share that is let in shrinks from the lowest priority up, and grows again
//! afterwards.
//!
//! ```
//! use std::{sync::{Arc, atomic::{AtomicBool, Ordering}}, time::Duration};
//! use msf_resilience::load_shed::{LoadShed, Priority};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let is_busy = Arc::new(AtomicBool::new(true));
//! let seen = Arc::clone(&is_busy);
//! let shed = LoadShed::builder("api")
//!     .signal(move || if seen.load(Ordering::Relaxed) { 1.5 } else { 0.2 })
//!     .build()?;
//!
//! for _ in 0..20 {
//!     tokio::time::advance(Duration::from_millis(250)).await;
//!     let _ = shed.check(Priority::SHEDDABLE);
//!     let _ = shed.check(Priority::DEFAULT);
//! }
//! assert!(shed.check(Priority::SHEDDABLE).is_err());
//! assert!(shed.check(Priority::CRITICAL).is_ok());
//!
//! is_busy.store(false, Ordering::Relaxed);
//! tokio::time::advance(Duration::from_secs(60)).await;
//! assert!(shed.check(Priority::SHEDDABLE).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Signals
//!
//! A [`Signal`] gives the load as a number that is 1 when there is no more room. A [`Bulkhead`](crate::bulkhead::Bulkhead)
//! and an [`AdaptiveLimit`](crate::adaptive::AdaptiveLimit) are signals (calls in flight and in the line against the limit), and so is any
//! closure `Fn() -> f64`. The greatest of all signals counts.
//!
//! Where requests queue, the waiting time says more than the length of the queue:
//! [`queue_wait`](LoadShedBuilder::queue_wait) gives the wait that is still well, and
//! [`record_wait`](LoadShed::record_wait) takes what was measured. As in CoDel (Nichols and Jacobson, 2012; RFC 8289) only the *least* wait of
//! a window counts: a queue that empties now and then is a burst, one that never does is an overload.
//!
//! # The controller
//!
//! Once per window, from the load and from what priorities arrived:
//!
//! ```text
//! share ← share × clamp(1 / load, 0.7, 0.95)   if load >= 1
//! share ← share + 0.02                         otherwise, per window, up to 1
//! ```
//!
//! Of the requests that are not critical, the topmost `share` is let in. The level at which they end is let in in part, at
//! random, so that a service whose requests all have one level is throttled and not switched off. Ranking by
//! the priorities that do arrive follows DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", 2018).
//!
//! | knob | default | why |
//! |---|---|---|
//! | `threshold` | 0.9 | begins before the limit itself refuses, which knows no priorities |
//! | `window` | 250 ms | from all to a tenth in about 2 s at worst, and back in 11 s |
//! | `retry_after` | 1 s | a client is told 1 to 2 s, at random |
//!
//! **Fairness** among the users of one level is not built in: give heavy users a lower level in the priority closure.
//!
//! # Cancel safety
//!
//! A request is judged when it is made. There is nothing to give back.
//!
//! # Ordering
//!
//! Outermost but for deadlines: what is refused must have cost as little as possible. Around the bulkhead or the adaptive
//! limit that is its signal.
//!
//! # Metrics
//!
//! `msf_load_shed_calls_total`, `msf_load_shed_refused_total`, `msf_load_shed_load_ratio` and
//! `msf_load_shed_share_ratio`, if [`metrics`](LoadShedBuilder::metrics) is given.
//!
//! # Cost
//!
//! A coarse clock reading, an addition to a word of the own thread, and two words that are only read. No lock that anybody
//! waits for, no allocation; a random number only for requests of the level at which the share ends.

mod builder;
mod controller;
mod error;
mod future;
mod handle;
mod layer;
pub(crate) mod metrics;
mod priority;
mod service;
mod signal;
#[cfg(test)]
mod tests;
mod tracker;

pub use self::{
    builder::LoadShedBuilder,
    error::{Error, InvalidLoadShed, Overloaded},
    future::ResponseFuture,
    handle::{LoadShed, Snapshot},
    layer::LoadShedLayer,
    priority::{Class, InvalidPriority, Priority, from_extensions, from_header},
    service::LoadShedService,
    signal::Signal,
};
