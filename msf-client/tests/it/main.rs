//! Integration tests of msf-client, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callee;
mod cost;
mod hostile;
mod service;
mod transport;
mod world;
