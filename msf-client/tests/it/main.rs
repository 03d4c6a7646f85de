//! Integration tests of msf-client, in one binary so that they link once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callee;
mod cost;
mod flaky;
mod hedges;
mod hostile;
mod mocks;
mod outage;
mod propagation;
mod retries;
mod service;
mod settings;
mod transport;
mod transport_expect;
mod transport_http2;
mod transport_queue;
mod transport_upgrade;
mod typed;
mod world;
