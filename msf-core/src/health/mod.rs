//! Liveness and readiness for whoever restarts a process or sends it traffic.
//!
//! The two are different questions. *Live*: is the process beyond help, so that only a restart
//! mends it? That never depends on others: if a database outage failed liveness, every replica
//! would be restarted at once, and the outage would grow. *Ready*: should traffic come here now?
//! That depends on what this service cannot work without.
//!
//! | path | asks | answers |
//! |---|---|---|
//! | `/livez` | nothing | 200 while the process can answer |
//! | `/readyz` | every check | 200, or 503 when starting, draining or a hard check fails |
//! | `/healthz` | alias of `/readyz` | the same |
//! | `/health` | alias of `/readyz` | the same, always as JSON |
//!
//! Bodies are `application/health+json` in the shape of draft-inadarei-api-health-check-06, an
//! expired individual draft that many tools read. `?verbose` gives text, one line per check:
//! `[+]` passes, `[!]` is soft and fails, `[-]` fails. Answers are never to be cached by others.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use http::{Method, StatusCode};
//! use msf_core::BoxError;
//! use msf_core::health::{Check, CheckError, Health};
//!
//! let health = Health::builder("orders").version("1.4.2").build();
//! health.add(Check::new("db", || async { Ok::<(), BoxError>(()) }))?;
//! health.add(Check::new("cache", || async { Err(CheckError::new("cold")) }).soft())?;
//! health.set_ready();
//!
//! let probe = health.respond(&Method::GET, "/readyz", Some("verbose")).unwrap();
//! let response = probe.await;
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(
//!     response.body(),
//!     "[+]serving ok\n[+]db ok\n[!]cache failed (soft): cold\nreadyz check passed\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What to check
//!
//! What belongs to this replica, such as its own connection pool. A hard check on a dependency that
//! all replicas share takes all of them out at once when it fails; make it
//! [`soft`](Check::soft) unless no request at all can be served without it. Never check another
//! service's readiness: such checks chain up until one slow service makes everything unready.
//!
//! # Limits
//!
//! A check runs at most once at a time and its result holds for a second
//! ([`Check::cache`]), so no rate of probes can hammer a database; it fails after a second
//! ([`Check::timeout`]) and when it panics. There are at most [`MAX_CHECKS`] checks.
//!
//! # What the public sees
//!
//! The name of a check and, of a failure, the message of its [`CheckError`]; any other error reads
//! `check failed`. The cause is logged, when a check begins or ceases to fail and not per probe.
//!
//! # Cancel safety
//!
//! A probe may be dropped at any await. A run it was driving goes on under the next probe that waits
//! for it; with no other probe waiting it is dropped too.

mod builder;
mod check;
mod error;
mod flight;
mod join;
mod render;
mod report;
mod respond;
mod state;

pub use self::{
    builder::HealthBuilder,
    check::{Check, HealthCheck, Severity},
    error::{AddCheckError, CheckError},
    report::{CheckReport, Outcome, Report},
    state::{Health, MAX_CHECKS, Status},
};
