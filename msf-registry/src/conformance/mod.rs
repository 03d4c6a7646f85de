//! What every backend must do, as one suite.
//!
//! ```
//! use msf_registry::{backend::memory::MemoryRegistry, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::run(|| async { MemoryRegistry::new() }).await;
//! # }
//! ```
//!
//! # Parts
//!
//! | part | for | by |
//! |---|---|---|
//! | read | what is listed, positions, waking whoever waits, size | [`Suite::run_discovery`] on a [`Stage`], and [`Suite::run`] |
//! | leases | registering, renewing, ending, tokens, many at once, hostile text | [`Suite::run`] |
//! | cancellation | every call dropped at every await | [`Suite::run`] |
//!
//! A backend that is only read brings a [`Stage`]: the suite says what is to be listed, and the stage
//! writes the zone, the file or the table that the backend reads.
//!
//! # Rules it leaves open
//!
//! - An instance whose lease has expired may stay listed as [`Health::Unhealthy`](crate::Health).
//! - A wake-up without a change is allowed, and so is [`RegistryError::CursorLost`] at any position.
//! - How long things take is the backend's: see [`Suite::shortest_lease`] and [`Suite::patience`].
//!
//! It uses real time, about three seconds of it with the usual limits, because most backends have a
//! clock of their own.
//!
//! [`RegistryError::CursorLost`]: crate::RegistryError::CursorLost

#![expect(
    clippy::unwrap_used,
    reason = "a suite fails by panicking, as tests do"
)]

mod cancel;
mod lease;
mod read;
mod stage;
mod suite;
mod values;

pub use self::{
    stage::Stage,
    suite::{AUTHORITY, Suite, run},
};
