//! What tokens are signed and verified with at one moment.

use bytes::Bytes;

use super::state::{Entry, KeyState, Ring, Stage};
use crate::{
    algorithm::Algorithm,
    keys::{KeySet, SigningKey},
};

/// A ring with its keys, never changed: a new one takes its place.
pub(crate) struct Snapshot {
    pub(super) ring: Ring,
    pub(crate) active: SigningKey,
    pub(crate) jwks: KeySet,
    pub(crate) jwks_json: Bytes,
}

/// A key of a ring, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStatus {
    /// Its id.
    pub key_id: Box<str>,
    /// What it is for.
    pub algorithm: Algorithm,
    /// Where it is in its life.
    pub state: KeyState,
    /// Since when it is staged or active, or until when it verifies: seconds since 1970.
    pub unix_seconds: u64,
}

impl Snapshot {
    /// The keys are those of the ring, in its order; `None` if none of them is active or two are one.
    pub(super) fn new(ring: Ring, keys: &[SigningKey]) -> Option<Self> {
        let active = ring.active()?;
        let active = keys.iter().find(|key| *key.id() == *active.id)?.clone();
        let jwks = KeySet::new(keys.iter().map(SigningKey::verifying_key)).ok()?;
        let jwks_json = Bytes::from(jwks.to_json());
        Some(Self {
            ring,
            active,
            jwks,
            jwks_json,
        })
    }

    /// One key that is not in any ring.
    pub(crate) fn of_one(active: SigningKey) -> Self {
        let jwks = KeySet::new([active.verifying_key()]).expect("one key has no equal");
        let jwks_json = Bytes::from(jwks.to_json());
        Self {
            ring: Ring::new(active.id().into(), active.algorithm(), 0),
            active,
            jwks,
            jwks_json,
        }
    }

    /// Moves on whenever a key does.
    pub(crate) const fn generation(&self) -> u64 {
        self.ring.generation
    }

    pub(super) fn status(&self) -> Vec<KeyStatus> {
        self.ring.keys.iter().map(Entry::status).collect()
    }
}

impl Entry {
    fn status(&self) -> KeyStatus {
        let (Stage::Staged { since_s: time_s }
        | Stage::Active { since_s: time_s }
        | Stage::Retired { until_s: time_s }) = self.stage;
        KeyStatus {
            key_id: self.id.clone(),
            algorithm: self.algorithm,
            state: self.stage.state(),
            unix_seconds: time_s,
        }
    }
}
