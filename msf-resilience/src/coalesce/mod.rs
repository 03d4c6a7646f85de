//! Coalescing: equal calls at one time are made once (single flight).
//!
//! When a popular entry falls out of a cache, a thousand callers ask for it at once, and the service behind does the
//! same work a thousand times. Here the first of equal calls *leads*: it makes the call. Those that come meanwhile *follow*:
//! they get its outcome. It is no cache: what comes after the outcome leads a call of its own.
//!
//! ```
//! use msf_resilience::coalesce::Coalesce;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let users = Coalesce::builder("users").build()?;
//! let name = users.run(7, || async { "Ada" }).await;
//! assert_eq!(name, "Ada");
//! # Ok(())
//! # }
//! ```
//!
//! | knob | default | why |
//! |---|---|---|
//! | `max_keys` | 10000 | a bound for keys that callers choose; above it calls go alone |
//! | `patience` | 10 s | above what a call should take, below what a caller waits |
//! | `max_body` | 1 MiB | what several callers get is held in memory |
//!
//! # Leaders that fail
//!
//! The leader's own task polls the call; no task is spawned. So the call does not outlive who makes it:
//!
//! - **A leader that is dropped**, or panics, at any point before the outcome is there: one follower is woken, becomes the
//!   leader, and makes the call anew, with its own request. If it is dropped first, the next one is woken.
//! - **A leader whose task does not run**, because its executor is blocked or it is polled beside something that takes the
//!   time: after `patience` one follower makes the call too, and the others wait for whichever of both comes first, again
//!   for as long. So a stalled leader costs one call more per `patience`, and no follower waits for it for ever.
//! - **A leader that runs out of its own time** (`deadline_exceeded` in an answering stack) says nothing to the others: one
//!   of them calls again. In a typed stack its error is shared, since nobody can tell.
//!
//! An error is an outcome, and everybody gets it: asking a failing service once is the point.
//!
//! # HTTP
//!
//! [`HttpKey::of`] shares GET and HEAD without credentials or body, whose headers are the same but for
//! a few that make no difference. **An answer must never go to another principal**: whatever the request does not show
//! - a client certificate, claims, an address - belongs into the key.
//!
//! An answer goes to the leader alone, and the followers call on their own, if it has `Set-Cookie`, is `private` or
//! (unless it is a 5xx) `no-store`, varies with `*` or with what [`HttpKey`] leaves out, is an event stream or a `rate_limited` of
//! a limiter inside, or has a body above `max_body` or one that takes longer than `patience`. With a key of your own, what answers
//! vary with must be in it: the layer cannot look into it.
//!
//! A body that breaks while it is read counts as a leader that is gone. A body is gathered only if somebody follows when the head
//! is there; otherwise it streams, and who comes then leads.
//!
//! # Cost
//!
//! A short lock of one of 16 parts of the table when a call joins, and one when it ends. A call that nobody joins allocates
//! nothing beyond its key, once the table is warm.
//!
//! # Metrics
//!
//! `msf_coalesce_calls_total` and `msf_coalesce_taken_over_total`, if [`metrics`](CoalesceBuilder::metrics) is given.

mod answering;
mod body;
mod builder;
mod error;
mod flight;
mod handle;
mod key;
pub(crate) mod metrics;
mod seat;
mod service;
mod settings;
mod share;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    answering::{Answer, AnsweringCoalesceLayer, AnsweringCoalesceService, AnsweringFuture},
    body::{CoalescedBody, Whole},
    builder::CoalesceBuilder,
    error::{Error, InvalidCoalesce},
    handle::Coalesce,
    key::HttpKey,
    service::{CoalesceLayer, CoalesceService, ResponseFuture},
};
