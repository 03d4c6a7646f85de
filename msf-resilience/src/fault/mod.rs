//! Fault injection: what a callee can do to you, on purpose and at a known rate.
//!
//! A timeout, a retry or a fallback that was never needed was never tried. This layer gives the calls of a service
//! that works the faults of one that does not, so that an experiment shows what the rest does about them.
//!
//! ```
//! use msf_resilience::fault::{Fault, Faults};
//!
//! let faults = Faults::builder("payment").error(0.1).reset(0.1).seed(7).build()?;
//! faults.enable();
//!
//! let drawn: Vec<_> = (0..1000).filter_map(|_| faults.next_fault()).collect();
//! assert_eq!(drawn.iter().filter(|fault| **fault == Fault::Error).count(), 100);
//! assert_eq!(drawn.iter().filter(|fault| **fault == Fault::Reset).count(), 100);
//! # Ok::<(), msf_resilience::fault::InvalidFaults>(())
//! ```
//!
//! # Faults
//!
//! | fault | the service inside | typed | HTTP |
//! |---|---|---|---|
//! | latency | is called, and first polled after the wait | its outcome, later | its answer, later |
//! | error | is not called | [`Error::Injected`], or an error made by a closure | problem+json |
//! | hang | is not called | nothing, until the caller drops the call | 504 at the request's deadline; without one, nothing |
//! | reset | does its work | the error of above | a body that breaks off midway |
//!
//! A call gets one fault at most. What a layer of tower cannot do is reset a connection before the head of an answer: for
//! the caller of a typed stack a reset is an error after the work was done, which is what an idempotency test needs.
//!
//! # Shares
//!
//! Shares are exact. Calls are dealt in cycles, the shortest in which each share is a whole number of calls: at 5 % of each 20 calls,
//! counted from the first, exactly one, at a place that the seed chooses anew for every 20. At 5 % and 0.33 % a cycle has 10000 calls.
//! Calls that chose their own fault are not counted, and new shares take effect within the cycle that is under way. Two runs with
//! one seed and one order of calls have the same faults.
//!
//! # Who may
//!
//! Faults are off until the program says [`enable`](Faults::enable), and every activation is logged at `WARN`. An
//! operator can stop them with [`Control::Disable`](crate::policies::Control::Disable) and give them back with
//! [`Control::Release`](crate::policies::Control::Release), which never enables what the program did not. A request
//! chooses its fault only where [`by_header_if`](FaultLayer::by_header_if) was given, and only while faults are enabled.
//!
//! # Cost
//!
//! Off: one relaxed load. Nothing is allocated; an answering stack's bodies are wrapped, not boxed. Active: a counter and a short lock.
//!
//! # Metrics
//!
//! `msf_fault_active` and `msf_fault_injected_total`, if [`metrics`](FaultsBuilder::metrics) is given. Alert on the first.

mod body;
mod builder;
mod direct;
mod error;
mod face;
mod faults;
mod future;
mod kind;
mod layer;
pub(crate) mod metrics;
mod schedule;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    body::FaultBody,
    builder::FaultsBuilder,
    direct::{ByHeader, Direct, Undirected},
    error::{Error, Injected, InvalidFaults},
    face::{Answering, Face, Failing, Typed},
    faults::Faults,
    future::ResponseFuture,
    kind::{Fault, HEADER, Latency, UnknownFault},
    layer::FaultLayer,
    service::FaultService,
};
