//! Real servers on real ports.
#![cfg(all(feature = "http", feature = "health", feature = "testing"))]

mod backend;
#[cfg(feature = "tower")]
mod balanced;
#[cfg(feature = "consul")]
mod consul;
mod cost;
#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "file")]
mod file;
mod fixed;
mod health;
mod mutants;
#[cfg(any(feature = "consul", feature = "etcd"))]
mod pair;
mod readme;
mod restart;
mod rolling;
mod setup;
mod wire;
