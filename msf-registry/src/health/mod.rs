//! Active health checks: somebody asks each instance whether it works, beside the registry.
//!
//! A lease says that a process renews; it takes a whole time to live to notice that one does not. A
//! [`HealthChecker`] asks the instances: a process that was killed is found, and so is one that hangs, is not
//! ready or cannot be reached. Outliers, which calls find, are the other half: see
//! [`outlier`](crate::outlier).
//!
//! # Where checks run
//!
//! | | started with | finds | who sees it |
//! |---|---|---|---|
//! | at the registry | [`HealthChecker::start`] | what is dead or not ready | all callers |
//! | in a process that calls | [`Registry::start_health_checking`] | what it cannot reach, of the services that it watches | this process |
//!
//! The second is for registries that check nothing themselves: DNS, a file, etcd. Both may run: an instance is
//! called only while neither says that it is unhealthy. What a process finds survives every new list of the
//! registry, and is taken back when its checks end.
//!
//! # How an instance is checked
//!
//! | kind | by | passes on | says no itself |
//! |---|---|---|---|
//! | `http` | [`HttpProbe`] | 2xx | 503 |
//! | `tcp` | [`TcpProbe`] | an accepted connection | |
//! | `grpc` | [`GrpcProbe`] | `SERVING` | `NOT_SERVING` |
//! | `exec` | [`ExecProbe`] | exit code 0 | |
//! | `custom` | your [`Probe`] | `Ok` | [`ProbeFailed::refusal`] |
//!
//! An instance names its check when it registers ([`HealthCheck`](crate::HealthCheck)); one that names none is
//! not checked and stays [unknown](crate::Health::Unknown), which is picked like a healthy one, unless
//! [`HealthChecker::check`] gives it one. A command is configured where checks run and never registered.
//!
//! # What counts
//!
//! [`fall`](HealthChecker::fall) failures in a row make an instance unhealthy,
//! [`rise`](HealthChecker::rise) passes make it healthy again; the first pass of an instance that was never
//! checked is enough, and so is one answer in which it says itself that it must not be called. After a result that
//! speaks against the verdict it is asked again after the
//! [edge interval](HealthChecker::edge_interval), so that a verdict is quick while checks are rare. Other
//! statuses than 503 are failures like a refused connection: an error of the one request that checks is no
//! reason to give up an instance.
//!
//! Checks run in the order of their times, as many at once as
//! [`concurrency`](HealthChecker::concurrency) says. A quarter of these places is kept for instances whose last
//! check passed, so that a crowd of dead ones, each of which takes its whole timeout, delays none that works.
//!
//! # Security
//!
//! The checker sends requests to addresses that registrants name (server-side request forgery): whoever may
//! register an instance can have it ask anything it reaches, by `GET`, a TCP connection or a gRPC health check.
//! The requests carry no credentials, follow no redirect and use no proxy, they go to addresses and never to
//! names, and their answers go nowhere but into one bit and a line of the log. Addresses that no instance has,
//! the metadata services of clouds among them, are refused by [`Reach`]; where registrants are not trusted,
//! name the one network that they live in with [`Reach::only`].
//!
//! ```
//! use msf_registry::health::Reach;
//!
//! let reach = Reach::default().only("10.0.0.0/8".parse()?);
//! assert!(reach.contains("10.1.2.3".parse()?));
//! assert!(!reach.contains("169.254.169.254".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Of an answer is taken in at most: of HTTP its head, within the limits of the client (about 400 KiB), and of its
//! body what comes along with the head; of gRPC 16 KiB of head and 1 KiB of message; of a command the first
//! 64 KiB of its errors.
//!
//! # Cancel safety
//!
//! Dropping [`HealthChecks`] ends all checks that are under way, and kills the commands among them; no result
//! of them is noted.
//!
//! [`Registry::start_health_checking`]: crate::Registry::start_health_checking

#[cfg(feature = "health")]
mod checker;
#[cfg(feature = "health")]
mod error;
#[cfg(feature = "health")]
mod probe;
mod reach;
#[cfg(feature = "health")]
mod run;
#[cfg(feature = "health")]
mod schedule;
#[cfg(feature = "health")]
mod tally;
#[cfg(feature = "health")]
mod target;
#[cfg(feature = "health")]
#[cfg(test)]
mod tests;
#[cfg(feature = "health")]
#[cfg(test)]
pub(crate) mod told;
#[cfg(feature = "health")]
mod way;

pub use self::reach::{OutOfReach, OutOfReachKind, Reach};
#[cfg(feature = "health")]
pub(crate) use self::target::{Target, Targets, Verdict};
#[cfg(feature = "health")]
pub use self::{
    checker::{HealthChecker, HealthChecks},
    error::InvalidHealthChecker,
    probe::{ExecProbe, GrpcProbe, HttpProbe, Probe, ProbeFailed, StandardProbe, TcpProbe},
};
