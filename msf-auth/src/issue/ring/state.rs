//! The states of the keys: a pure machine that takes the time.
//!
//! ```text
//! Staged ──────────► Active ──────────► Retired ──────────► Gone
//! published only     signs              verifies            nowhere
//!        for `staging`     for `period`      until its last token has ended
//! ```

use super::{RotationPolicy, policy::KEYS_MAX};
use crate::algorithm::Algorithm;

/// Where a key of a ring is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// Published, so that every cache has it before it signs.
    Staged,
    /// Signs.
    Active,
    /// Verifies until the last token that it signed has ended.
    Retired,
    /// Neither published nor kept.
    Gone,
}

impl KeyState {
    /// Its name, as metrics and the manifest have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Gone => "gone",
        }
    }
}

/// A step of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChange {
    /// The key.
    pub key_id: Box<str>,
    /// The state that it came to.
    pub state: KeyState,
    /// Whether it was [revoked](super::KeyRing::revoke) rather than rotated.
    pub revoked: bool,
}

/// All keys of a ring. Exactly one of them signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    /// Counts what was written, so that nothing older is taken for new.
    pub(super) generation: u64,
    pub(super) keys: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: Box<str>,
    pub(super) algorithm: Algorithm,
    /// Whether it is in the file that an issuer of one key uses.
    pub(super) in_first_file: bool,
    pub(super) stage: Stage,
}

/// The state with the second that counts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Staged { since_s: u64 },
    Active { since_s: u64 },
    Retired { until_s: u64 },
}

/// The first second of 2025: a clock before that was not set since the machine was started.
const CLOCK_MIN_S: u64 = 1_735_689_600;

/// The key to be revoked is not in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl Ring {
    /// A ring of one key, which signs at once: nobody has an older key set.
    pub(super) fn new(id: Box<str>, algorithm: Algorithm, now_s: u64) -> Self {
        let first = Entry {
            id,
            algorithm,
            in_first_file: true,
            stage: Stage::Active { since_s: now_s },
        };
        Self {
            generation: 0,
            keys: vec![first],
        }
    }

    /// Whether a key should be staged. There always is one, so that a revoked key has a successor that
    /// everybody knows.
    pub(super) fn wants_key(&self) -> bool {
        self.staged().is_none() && self.keys.len() < KEYS_MAX
    }

    /// Adds a key that is published and does not sign yet.
    pub(super) fn stage(&mut self, id: Box<str>, algorithm: Algorithm, now_s: u64) -> KeyChange {
        let change = KeyChange {
            key_id: id.clone(),
            state: KeyState::Staged,
            revoked: false,
        };
        self.keys.push(Entry {
            id,
            algorithm,
            in_first_file: false,
            stage: Stage::Staged { since_s: now_s },
        });
        change
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, policy: &RotationPolicy, now_s: u64) -> Vec<KeyChange> {
        self.follow_clock(policy, now_s);
        let mut changes = self.drop_ended(now_s);
        let is_due = self.active().is_some_and(|entry| match entry.stage {
            Stage::Active { since_s } => now_s >= since_s.saturating_add(policy.period_s()),
            _ => false,
        });
        if is_due {
            changes.extend(self.hand_over(policy, now_s));
        }
        changes
    }

    /// The staged key signs from now on, unless it was not published for long enough, or there is no room for the next
    /// one: then the retired ones have to end first.
    pub(super) fn hand_over(&mut self, policy: &RotationPolicy, now_s: u64) -> Vec<KeyChange> {
        let is_ready = |entry: &Entry| match entry.stage {
            Stage::Staged { since_s } => now_s >= since_s.saturating_add(policy.staging_s()),
            _ => false,
        };
        let has_room = self.keys.len() < KEYS_MAX;
        let Some(next) = self.keys.iter().position(is_ready).filter(|_| has_room) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        let until_s = now_s.saturating_add(policy.retired_s());
        for entry in &mut self.keys {
            if let Stage::Active { .. } = entry.stage {
                entry.stage = Stage::Retired { until_s };
                changes.push(entry.change());
            }
        }
        changes.push(self.activate(next, now_s));
        changes
    }

    /// Takes a key out at once. When it was the one that signs, the staged one does, however long it was published:
    /// the caller has staged one before.
    pub(super) fn revoke(&mut self, id: &str, now_s: u64) -> Result<Vec<KeyChange>, Unknown> {
        let at = self.keys.iter().position(|entry| &*entry.id == id);
        let entry = self.keys.remove(at.ok_or(Unknown)?);
        let mut changes = vec![KeyChange {
            key_id: entry.id,
            state: KeyState::Gone,
            revoked: true,
        }];
        if self.active().is_none()
            && let Some(next) = self.staged()
        {
            changes.push(self.activate(next, now_s));
        }
        Ok(changes)
    }

    pub(super) fn active(&self) -> Option<&Entry> {
        let is_active = |entry: &&Entry| matches!(entry.stage, Stage::Active { .. });
        self.keys.iter().find(is_active)
    }

    /// The staged key that was published first.
    fn staged(&self) -> Option<usize> {
        let is_staged = |entry: &Entry| matches!(entry.stage, Stage::Staged { .. });
        self.keys.iter().position(is_staged)
    }

    fn activate(&mut self, at: usize, now_s: u64) -> KeyChange {
        let entry = &mut self.keys[at];
        entry.stage = Stage::Active { since_s: now_s };
        entry.change()
    }

    fn drop_ended(&mut self, now_s: u64) -> Vec<KeyChange> {
        let mut changes = Vec::new();
        self.keys.retain(|entry| {
            let has_ended = matches!(entry.stage, Stage::Retired { until_s } if until_s <= now_s);
            if has_ended {
                changes.push(KeyChange {
                    key_id: entry.id.clone(),
                    state: KeyState::Gone,
                    revoked: false,
                });
            }
            !has_ended
        });
        changes
    }

    /// What happened by a clock that was ahead is taken to have happened now, so that no state lasts longer than
    /// it would from now on.
    fn follow_clock(&mut self, policy: &RotationPolicy, now_s: u64) {
        // Not that of a machine which does not know the time yet. What it made of retired keys would end them, and the
        // tokens that they signed, as soon as it does.
        if now_s < CLOCK_MIN_S {
            return;
        }
        let soon_s = now_s.saturating_add(policy.skew_s());
        let end_s = now_s.saturating_add(policy.retired_s());
        for entry in &mut self.keys {
            match &mut entry.stage {
                Stage::Staged { since_s } | Stage::Active { since_s } => {
                    if *since_s > soon_s {
                        *since_s = now_s;
                    }
                }
                Stage::Retired { until_s } => {
                    if *until_s > end_s.saturating_add(policy.skew_s()) {
                        *until_s = end_s;
                    }
                }
            }
        }
    }
}

impl Entry {
    fn change(&self) -> KeyChange {
        KeyChange {
            key_id: self.id.clone(),
            state: self.stage.state(),
            revoked: false,
        }
    }
}

impl Stage {
    pub(super) const fn state(self) -> KeyState {
        match self {
            Self::Staged { .. } => KeyState::Staged,
            Self::Active { .. } => KeyState::Active,
            Self::Retired { .. } => KeyState::Retired,
        }
    }
}
