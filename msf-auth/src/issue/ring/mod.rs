//! Keys that take turns; the documentation is that of `issue`.

mod disk;
mod error;
mod key_ring;
mod manifest;
mod metrics;
mod policy;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use self::metrics::{CHANGES, FAILURES, KEYS};
pub(super) use self::{disk::has_ring, snapshot::Snapshot};
pub use self::{
    error::KeyRingError,
    key_ring::{KeyRing, KeyRingBuilder},
    policy::{InvalidRotation, RotationPolicy},
    snapshot::KeyStatus,
    state::{KeyChange, KeyState},
};
