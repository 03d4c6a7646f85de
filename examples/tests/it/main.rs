//! The examples as a user runs them: real processes, real signals, real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod gateway;
mod hello;
mod layers;
mod process;
mod reference;
mod registry;
mod shop;
