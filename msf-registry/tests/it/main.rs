//! Real servers on real ports.
#![cfg(all(feature = "http", feature = "health", feature = "testing"))]

mod backend;
#[cfg(feature = "tower")]
mod balanced;
mod cost;
mod health;
mod restart;
mod setup;
mod wire;
