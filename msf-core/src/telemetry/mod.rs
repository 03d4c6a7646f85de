//! Logs and traces, set up with one call.
//!
//! # Why
//!
//! `tracing` leaves everything to the subscriber: where lines go, what a line looks like, how a
//! line finds its request. This module is one good answer, so that no service has to give its own:
//!
//! * **Lines** go to standard output, where every container runtime and systemd look for them. On
//!   a terminal they are short and coloured; elsewhere each is one JSON object.
//! * **Ids**: a line carries `trace_id`, `span_id` and `request_id` of the nearest enclosing span
//!   that has them. [`TraceLayer`](crate::trace) makes such a span for every request.
//! * **Never in the way**: lines are written by a thread of their own. When the output blocks,
//!   lines are dropped and counted; the service goes on.
//! * **Traces** (feature `otlp`) leave over OTLP/HTTP with the very ids that stand in the lines.
//!
//! # When not to use it
//!
//! Everything else in this crate speaks plain `tracing` and works with any subscriber. If you
//! have one that you like, keep it. This one writes no files and sends no logs anywhere: that is
//! the platform's business.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use msf_core::telemetry::{self, LogConfig, TelemetryError};
//!
//! # async fn serve() {}
//! # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
//! let telemetry = match telemetry::init(&LogConfig::default()) {
//!     Ok(telemetry) => Some(telemetry),
//!     // A test harness or a parent library was first; its subscriber is as good.
//!     Err(TelemetryError::AlreadySet) => None,
//!     Err(error) => return Err(error.into()),
//! };
//! serve().await;
//! if let Some(telemetry) = telemetry {
//!     telemetry.shutdown(Duration::from_secs(5)).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The JSON line
//!
//! ```json
//! {"ts":"2026-11-22T23:15:04.123456Z","level":"INFO","target":"orders::pay","message":"paid",
//!  "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","request_id":"r-1",
//!  "amount":12,"http.request.method":"POST","span":"POST /pay"}
//! ```
//!
//! (one line in reality). Fields of the event come first, then those of its spans from the inside
//! out. No key appears twice: an inner field hides an outer one, and a field named like a key of
//! the line itself is written as `field.<name>`. An event's own `trace_id`, `span_id` or
//! `request_id` wins over its spans'. NaN and infinities are `null`; integers beyond 64 bits are
//! strings; a value longer than 16 KiB is cut and ends in `…`. Errors recorded as errors are
//! printed with their causes.
//!
//! # Which lines
//!
//! In order of precedence: [`LevelHandle::set`], the environment variable `RUST_LOG`, `level` in
//! [`LogConfig`], and `info`. A level chooses lines only: spans of level `INFO` or above with a
//! `trace_id` field exist at every level, so a warning has its ids, and is traced, even with
//! `level = "warn"`.
//!
//! # Cancel safety
//!
//! [`Telemetry::shutdown`] goes on flushing when its future is dropped after the first poll.
//!
//! # Metrics
//!
//! [`TelemetryStats`] counts dropped lines, and exported, dropped and failed spans. The log
//! itself says when lines are missing, as soon as the output moves again.

mod chain;
mod config;
mod error;
mod gate;
mod guard;
mod ids;
mod level;
mod lines;
#[cfg(any(feature = "host", feature = "otlp"))]
pub mod otlp;
mod quiet;
mod setup;

#[cfg(test)]
mod tests;

pub use config::{LogConfig, LogFormat};
pub use error::{InvalidLevel, ShutdownIncomplete, TelemetryError};
use gate::TARGET;
pub use guard::{Telemetry, TelemetryStats};
pub use level::LevelHandle;
pub use setup::{TelemetrySetup, init};
