//! Integration tests of msf-gateway, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod common;
mod cost;
mod forwarding;
mod grpc;
mod h2;
mod hostile;
mod own;
mod sharded;
mod streaming;
mod upgrade;
