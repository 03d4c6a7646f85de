#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod backoff;
#[cfg(feature = "body")]
pub mod body;
pub mod classify;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod forwarded;
// Only `cargo test --doc` in the repository sees it: the pages are not in the package.
#[cfg(doctest)]
mod guide;
pub mod health;
#[cfg(feature = "host")]
pub mod host;
pub mod metrics;
pub mod name;
pub mod problem;
pub mod route;
#[cfg(feature = "server")]
pub mod server;
pub mod task;
#[cfg(feature = "telemetry")]
pub mod telemetry;
#[cfg(any(feature = "testing", feature = "testing-alloc"))]
pub mod testing;
pub mod trace;

/// A boxed error that can cross threads, as tower spells it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
