//! Integration tests of msf-core, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod arrows;
mod config;
mod health;
mod host;
mod metrics;
mod reference;
mod server;
mod telemetry;
mod trace;
