//! Active health checks: somebody asks each instance whether it works, beside the registry.
//!
//! A lease says that a process renews; it takes a whole time to live to notice that one does not. A
//! [`HealthChecker`] asks the [health check](crate::HealthCheck) of every instance over HTTP, so a
//! process that was killed is found after `fall × interval` and one that hangs or is not ready as
//! well. It marks instances in the registry's memory; callers see that in their next snapshot.
//!
//! ```
//! use std::time::Duration;
//! use msf_registry::{backend::memory::MemoryRegistry, health::HealthChecker};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let memory = MemoryRegistry::new();
//! let checks = HealthChecker::new(memory.clone())
//!     .interval(Duration::from_secs(1))
//!     .start()?;
//! // Checks run until it is dropped.
//! drop(checks);
//! # Ok(())
//! # }
//! ```
//!
//! # What counts
//!
//! A check passes when the instance answers with 2xx within the timeout. `fall` failures in a row make
//! an instance unhealthy, `rise` passes make it healthy again; the first pass of an instance that was
//! never checked is enough. An instance without a health path is not checked and stays
//! [unknown](crate::Health::Unknown), which is picked like a healthy one.
//!
//! # Security
//!
//! The registry sends requests to addresses that registrants name (server-side request forgery):
//! whoever may register an instance can have it ask anything it reaches, with `GET`, plain HTTP and a
//! path of its choice. The requests carry no credentials, follow no redirect, use no proxy, and their
//! answers go nowhere but into one bit. Where registrants are not trusted, limit the addresses with
//! [`HealthChecker::only`].
//!
//! # Cancel safety
//!
//! Dropping [`HealthChecks`] ends all checks that are under way; no result of them is noted.

#[cfg(feature = "health")]
mod checker;
#[cfg(feature = "health")]
mod probe;
mod reach;
#[cfg(feature = "health")]
mod schedule;
#[cfg(feature = "health")]
mod tally;
#[cfg(all(test, feature = "health"))]
mod tests;

pub use self::reach::{OutOfReach, OutOfReachKind, Reach};
#[cfg(feature = "health")]
pub use self::{
    checker::{HealthChecker, HealthChecks, InvalidHealthChecker},
    probe::{HttpProbe, Probe, ProbeFailed},
};
