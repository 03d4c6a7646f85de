//! Real servers on real ports.
#![cfg(all(feature = "http", feature = "health", feature = "testing"))]

mod backend;
#[cfg(feature = "etcd")]
mod etcd;
mod health;
mod restart;
mod setup;
