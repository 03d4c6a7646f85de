//! A rate limit per key, exact to the nanosecond.
//!
//! Every key - a client's address, a user, a tenant, or `()` for everyone together - may make so many requests per
//! period and so many at once. It is a token bucket, computed by the generic cell rate algorithm (GCRA, ITU-T I.371): one
//! number per key, no timer, and nothing that is rounded.
//!
//! ```
//! use std::{net::{IpAddr, Ipv4Addr}, time::Duration};
//! use msf_resilience::rate_limit::{Quota, RateLimiter};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = RateLimiter::builder(Quota::per_second(10).burst(2)).name("per-client").build()?;
//! let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
//!
//! assert_eq!(limiter.check(&client)?.remaining(), 1);
//! assert_eq!(limiter.check(&client)?.remaining(), 0);
//! let limited = limiter.check(&client).unwrap_err();
//! assert_eq!(limited.retry_after(), Duration::from_millis(100));
//!
//! tokio::time::advance(limited.retry_after()).await;
//! assert!(limiter.check(&client).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # What it can do
//!
//! | To | Use |
//! |---|---|
//! | count a request, or refuse it | [`check`](RateLimiter::check), [`check_n`](RateLimiter::check_n) for one that costs more |
//! | look, and give back | [`peek`](RateLimiter::peek), [`refund`](RateLimiter::refund) |
//! | wait for one's turn | [`acquire`](RateLimiter::acquire), [`reserve`](RateLimiter::reserve) |
//! | limit per second *and* per day | [`limit`](RateLimiterBuilder::limit) |
//! | give some keys other quotas | [`quota_for`](RateLimiterBuilder::quota_for) |
//! | change quotas while it runs | [`set_quota`](RateLimiter::set_quota), [`set_limits`](RateLimiter::set_limits) |
//! | limit everyone together | [`DirectLimiter`] |
//! | share a limit among processes | [`shared`], over a [`store`] |
//! | put it before a service | [`RateLimitLayer::new`], [`RateLimitLayer::answering`] |
//!
//! # What is exact
//!
//! Times are counted in twelfths of a nanosecond. The distance between two requests is rounded up to it, so that
//! nobody gets more than the quota; at 1 000 requests a second nobody gets less than 99.999 99 % of it. Every decision reads the
//! precise clock. Several limits are charged together or not at all.
//!
//! # What clients are told
//!
//! [`Allowed`] and [`Limited`] write the fields of draft-ietf-httpapi-ratelimit-headers-11, one of each per limit, and a
//! refusal adds `Retry-After`:
//!
//! ```text
//! RateLimit-Policy: "per-client";q=10;w=1        quota 10 in a window of 1 s
//! RateLimit: "per-client";r=0;t=1                0 left now; refused: until there is room; else: until all of it is back
//! Retry-After: 1
//! ```
//!
//! Seconds are whole and rounded up, so that nobody is invited back too early; `Retry-After` is never 0. The problem has
//! the draft's type [`QUOTA_EXCEEDED`] and names the limits without room in `violated-policies`.
//!
//! # Bounded keys
//!
//! A limiter remembers [`DEFAULT_MAX_KEYS`] keys unless told otherwise; its memory grows with the keys it has seen, up to
//! that number. Then idle keys are swept when a new key needs their room: forgetting a key whose burst is whole again changes
//! nothing. **Only when all keys are active** does a key go that still owes time: of those near the new key the one that
//! owes least. It gets back what it
//! had used, so a caller with more keys than `max_keys` can exceed its limit; `msf_ratelimit_forgotten_total` counts
//! these. Limit callers by a key that they cannot choose freely. A table of more than 1 024 keys is swept at most every
//! 10 ms, so that an attacker cannot make every new key cost a sweep; within that time an active key may go although
//! another has just become idle.
//!
//! The limiter keeps the key's hash and not the key: 64 bits under a random seed, found at a place that 64 bits under
//! another seed name. Two keys that agree in both would share a limit: for a new key among 65 536 others
//! that is less likely than 1 in 10^14. The seeds are random for every limiter and leave it in no answer, so a caller cannot
//! compute such keys; but the hash (foldhash, in its quality variant) is made for speed and not proved against an
//! attacker who can measure it. Where strangers name keys of their own, [`key::HashedHeader`] hashes them by SipHash first.
//!
//! # The queue
//!
//! Whoever waits has a theoretical arrival time of their own, so the queue is first in, first out without a list of waiters:
//! nobody is woken in vain, and a [`check`](RateLimiter::check) cannot overtake. It is bounded by each caller's `max_wait` and
//! by [`max_queue`](RateLimiterBuilder::max_queue); who may not wait is refused at once. A waiter that is dropped gives its
//! turn back if nothing was charged after it; otherwise the turn is lost, since later ones are promised.
//!
//! # Cancel safety
//!
//! The layers count a request in `call`, never in `poll_ready`; dropping its future gives nothing back. For those who wait, see
//! [`Reservation`].
//!
//! # Metrics
//!
//! `msf_ratelimit_decisions_total`, `msf_ratelimit_forgotten_total` and `msf_ratelimit_keys`, if
//! [`metrics`](RateLimiterBuilder::metrics) is given; `msf_ratelimit_store_failures_total` for shared limits. Every limiter is
//! in the list of [`policies`](crate::policies).
//!
//! # Cost
//!
//! A check without keys reads the clock and swaps one word. A check of a known key also hashes it twice and looks through
//! one or two buckets of the table; it takes no lock, writes to nothing but the key's own word and allocates nothing. A new key, and
//! every check of a keyed limiter with several limits, takes one of 64 mutexes. `benches/README.md` has the figures and
//! their command.

mod answering;
mod builder;
mod config;
mod core;
mod decision;
mod direct;
mod entry;
mod error;
mod future;
mod gcra;
pub mod key;
mod label;
mod layer;
mod level;
mod limiter;
mod limits;
mod memory;
pub(crate) mod metrics;
mod quota;
#[cfg(feature = "redis")]
pub mod redis;
mod reservation;
mod seen;
mod service;
mod settings;
pub mod shared;
pub mod store;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod unit;
#[cfg(test)]
pub(crate) mod vectors;

pub use self::{
    answering::{AnsweringFuture, AnsweringRateLimitLayer, AnsweringRateLimitService},
    builder::{DEFAULT_MAX_KEYS, DEFAULT_MAX_QUEUE, RateLimiterBuilder},
    config::{Config, QuotaConfig},
    decision::{
        Allowed, Limited, Peeked, QUOTA_EXCEEDED, RATE_LIMIT, RATE_LIMIT_POLICY, Refused, TooCostly,
    },
    direct::DirectLimiter,
    error::{Error, InvalidRateLimiter},
    future::ResponseFuture,
    layer::RateLimitLayer,
    limiter::RateLimiter,
    limits::{LIMITS_MAX, Limits},
    quota::Quota,
    reservation::Reservation,
    seen::Standing,
    service::RateLimitService,
    unit::QuotaUnit,
};
