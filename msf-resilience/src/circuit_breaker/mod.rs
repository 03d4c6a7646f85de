//! A circuit breaker: callers of a failing service fail fast, and it gets room to recover.
//!
//! While a callee fails, every further call costs the caller a timeout and the callee work that helps nobody. The
//! breaker counts how calls end; once too many of them fail it refuses calls for a while, then lets a few through as
//! probes and decides by them.
//!
//! ```
//! use std::{io, time::Duration};
//! use msf_core::classify::Classification;
//! use msf_resilience::circuit_breaker::{CircuitBreaker, State};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let breaker = CircuitBreaker::builder("payment").build()?;
//!
//! for _ in 0..20 {
//!     let permit = breaker.try_acquire()?;
//!     permit.complete(&Classification::FAILURE); // what `Classify` made of the call
//! }
//! let refused = breaker.try_acquire().unwrap_err();
//!
//! tokio::time::advance(refused.retry_after()).await;
//! for _ in 0..3 {
//!     breaker.try_acquire()?.complete(&Classification::SUCCESS);
//! }
//! assert_eq!(breaker.state(), State::Closed);
//! # Ok(())
//! # }
//! ```
//!
//! # States
//!
//! ```text
//!            too many of the window's calls failed
//!   Closed ────────────────────────────────────────▶ Open ◀──┐
//!     ▲                                                │     │ too many probes failed,
//!     │ enough probes passed        the wait is over   ▼     │ or did not come back
//!     └──────────────────────────────────────────── HalfOpen ┘
//! ```
//!
//! | knob | default | why |
//! |---|---|---|
//! | `trip` | half of the calls failed | below it, more calls succeed than fail: refusing all of them would do harm |
//! | `window` | 10 s in 10 buckets | long enough for the minimum at 2 calls/s, short enough to react before people do |
//! | `min_calls` | 20 | two failures of three say nothing yet |
//! | `cancel` | all of the calls | see [Cancel safety](#cancel-safety) |
//! | `open_for` | 5 s, doubling | about what a restart takes; a longer outage is probed less often |
//! | `open_max` | 60 s | a recovered callee is found within a minute; also the most that `Retry-After` can ask for |
//! | `jitter` | 0.2 | an open wait is up to a fifth shorter, so that many callers do not probe together |
//! | `half_open_permits` | 5 | one lucky or unlucky probe decides nothing |
//! | `half_open_max_wait` | 30 s, or `open_for` if longer | probes that hang must not keep the circuit half-open for ever |
//! | `ramp` | a tenth to all in 10 s | what has just recovered is not felled by all of the load at once |
//!
//! **Closed.** The counts are exact: all calls that ended in the current bucket and the nine before it, or the last calls
//! ([`window_calls`](CircuitBreakerBuilder::window_calls)). The circuit opens at the call that makes at least `min_calls` of which at least the share of
//! a [`Trip`] failed or were slow, or at the last of so many failures in a row.
//!
//! **Open.** Calls are refused until the wait is over. It doubles with every opening and starts over once the circuit
//! has closed and its ramp is over. A failure's `Retry-After` is the least wait, minus the time passed since, within `open_max`.
//!
//! **Half-open.** At most `half_open_permits` calls pass; their failure rate decides, as soon as the missing ones cannot
//! change it. When `half_open_max_wait` is over, probes without a result count as failed; if there is no result and
//! none is awaited, the period starts again. Both are seen to when somebody calls or looks; there is no task behind it.
//!
//! **Ramp.** Once closed, a growing share of the calls passes at first ([`Ramp`]).
//!
//! **Held by an operator**: [forced open](CircuitBreaker::force_open), [disabled](CircuitBreaker::disable) or
//! [only counting](CircuitBreaker::metrics_only), until [released](CircuitBreaker::release). Nothing else ends these states.
//!
//! **Ignored** calls ([`Verdict::Ignore`](msf_core::classify::Verdict::Ignore), such as a 429) leave no trace and give a probe's permit back.
//!
//! **Stale** results - of calls that began before the last change of state - have no effect in the new one.
//!
//! # Cancel safety
//!
//! A permit, or the future of a layer, that is dropped counts as *cancelled*: a probe's permit becomes free.
//! Cancelled calls are no evidence beside others, but if every call of the window was cancelled, `min_calls` or
//! more of them, the circuit opens: nobody waits long enough for this callee. In the half-open state the same
//! holds for as many cancelled probes as there are permits, when the period ends. [`CancelPolicy`] has the other choices, and
//! [`count_cancelled_slow`](CircuitBreakerBuilder::count_cancelled_slow) makes slow calls of those that were given up late.
//!
//! # Ordering
//!
//! Timeouts of single attempts belong *inside* the breaker, where they are failures; a timeout outside looks like
//! cancellation. They limit calls and not the wait until the service inside is ready: see
//! [`CircuitBreakerService`]. Retries belong *outside*: each attempt counts, and a refusal is not worth repeating. The state lives in the
//! [`CircuitBreaker`], so all clones of a service and all services of a layer share it: one breaker per callee.
//!
//! # Keys
//!
//! [`KeyedCircuitBreaker`] has a circuit for each host, tenant or shard.
//!
//! # Metrics
//!
//! `msf_breaker_state`, `msf_breaker_calls_total`, `msf_breaker_rejected_total`, `msf_breaker_transitions_total`, and
//! `msf_breaker_keys` of a keyed one, if [`metrics`](CircuitBreakerBuilder::metrics) is given. Transitions are logged: an opening and
//! an operator's order at `WARN`, the others at `INFO`. [`subscribe`](CircuitBreaker::subscribe) tells them to code, and
//! [`policies`](crate::policies) lists every breaker.
//!
//! # Cost
//!
//! Admission in the closed state is two atomic loads. A success is one read of a coarse clock and one compare-and-swap of a
//! word that belongs to the thread's stripe; with [`Trip::consecutive`] alone it is neither. No lock, no allocation, no
//! reference count, and no word that two threads write to. The window is summed at failures, and at the first successes of a
//! bucket while failures are in it. The mutex inside is taken at transitions, by probes, and by failures
//! that carry `Retry-After`. [Timed](Trip::slow) calls read a clock twice; [`window_calls`](CircuitBreakerBuilder::window_calls) has a word that all
//! threads write to.

mod breaker;
mod builder;
mod cancel;
mod cause;
mod circuit;
mod config;
mod error;
mod future;
mod keyed;
mod layer;
mod machine;
pub(crate) mod metrics;
mod permit;
mod ramp;
mod ring;
mod runs;
mod service;
mod settings;
mod shared;
mod slope;
mod slot;
mod snapshot;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod transition;
mod trip;
mod window;

pub use self::{
    breaker::CircuitBreaker,
    builder::CircuitBreakerBuilder,
    cancel::CancelPolicy,
    cause::Cause,
    config::{Config, SlowConfig},
    error::{CircuitOpen, Error, InvalidCircuitBreaker},
    future::ResponseFuture,
    keyed::{
        KeyedCircuitBreaker, KeyedCircuitBreakerBuilder, KeyedCircuitBreakerLayer,
        KeyedCircuitBreakerService,
    },
    layer::CircuitBreakerLayer,
    permit::Permit,
    ramp::Ramp,
    service::CircuitBreakerService,
    snapshot::Snapshot,
    state::State,
    transition::Transition,
    trip::Trip,
};
