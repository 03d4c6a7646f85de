//! Integration tests of msf-gateway, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_log;
mod admin;
mod answers;
#[cfg(feature = "cli")]
mod cli;
mod client_gone;
mod common;
mod config;
mod cost;
mod forwarding;
mod grpc;
mod guide;
mod h2;
mod limits;
mod listeners;
mod own;
mod policies;
mod reload;
mod routing;
mod sharded;
mod streaming;
mod upgrade;
mod wire;
