//! A bulkhead: so many calls at once and no more, so that one slow callee cannot take every thread and socket.
//!
//! When a callee slows down, calls to it pile up; what they hold - connections, memory, places in a pool - is missing
//! for everything else. A bulkhead bounds the calls in flight. What is above the bound is refused at once, or waits for
//! a bounded time in a bounded line.
//!
//! ```
//! use msf_resilience::bulkhead::Bulkhead;
//!
//! let bulkhead = Bulkhead::builder("reports").max_concurrent(2).build()?;
//! let first = bulkhead.try_acquire()?;
//! let second = bulkhead.try_acquire()?;
//! assert!(bulkhead.try_acquire().is_err());
//!
//! drop(first);
//! assert!(bulkhead.try_acquire().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Refuse or wait
//!
//! [`try_acquire`](Bulkhead::try_acquire) and [`BulkheadLayer::new`] refuse when no permit is free. This is the default:
//! a queue in front of a callee that is too slow adds waiting time and nothing else. To smooth short bursts,
//! [`max_wait`](BulkheadBuilder::max_wait) lets [`acquire`](Bulkhead::acquire) and a [`waiting`](BulkheadLayer::waiting)
//! layer wait, first come, first served: while somebody is in the line nobody who comes later gets a permit.
//!
//! | knob | default | why |
//! |---|---|---|
//! | `max_concurrent` | 25 | a small pool of connections; every callee needs its own number: rate × latency, doubled |
//! | `max_wait` | none | refuse at once: the caller can do something else with its time |
//! | `max_queue` | as `max_concurrent` | who is further back than one generation of calls waits for more than one latency |
//!
//! # How long a permit is held
//!
//! Until the response's head is there. A body that is still being read may hold the callee's resources for much
//! longer: [`until_body_end`](BulkheadLayer::until_body_end) lets the permit ride on the body, in a [`GuardedBody`], until it
//! ends, fails or is dropped.
//!
//! # Cancel safety
//!
//! A future that is dropped gives its permit back, or leaves the line; a permit that was handed to it in the same
//! moment goes to the next one. `poll_ready` takes nothing, so a service that is polled and never called costs nothing.
//!
//! # Ordering
//!
//! Inside a retry (each attempt needs a permit of its own, and none is held while a retry waits) and outside of the
//! timeout of an attempt. The permits are the [`Bulkhead`]'s: all clones of a service and all services of a layer share
//! them.
//!
//! # Metrics
//!
//! `msf_bulkhead_calls_total`, `msf_bulkhead_refused_total`, `msf_bulkhead_in_flight`, `msf_bulkhead_queued` and
//! `msf_bulkhead_limit`, if [`metrics`](BulkheadBuilder::metrics) is given.
//!
//! # Cost
//!
//! A call writes twice to a word that belongs to its thread, and reads one that nobody writes: no lock, no allocation,
//! no word that threads pass to each other, as long as permits are free where they are taken. The lock inside is
//! taken while calls wait, and when the limit changes. Waiting allocates.

mod body;
mod builder;
mod config;
mod error;
mod future;
mod handle;
mod hold;
mod layer;
pub(crate) mod metrics;
mod permit;
mod service;
#[cfg(test)]
mod tests;
mod waiting;

pub use self::{
    body::GuardedBody,
    builder::{BulkheadBuilder, DEFAULT_MAX_CONCURRENT},
    config::Config,
    error::{BulkheadFull, Cause, Error, InvalidBulkhead},
    future::ResponseFuture,
    handle::{Bulkhead, Snapshot},
    hold::{Hold, UntilBodyEnd, UntilResponse},
    layer::{BulkheadLayer, Refuse, Wait},
    permit::Permit,
    service::BulkheadService,
    waiting::{Acquire, WaitingFuture},
};
