//! One service at one revision, shared by all who ask.

#[cfg(feature = "http")]
use std::sync::PoisonError;
use std::sync::{Mutex, OnceLock};

use bytes::Bytes;
use msf_core::name::InstanceId;

use crate::model::{Authority, Snapshot};
#[cfg(feature = "http")]
use crate::model::{Cursor, Member};

/// A snapshot, what led to it, and what was made of it for the wire.
///
/// Made once per revision and never changed; whoever waits for the revision gets the same one, so that it
/// is encoded once and not once per watcher.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "only the server tells what changed")
)]
pub(crate) struct View {
    snapshot: Snapshot,
    /// The revision at which each instance last changed, in the order of the snapshot.
    changed_at: Box<[u64]>,
    removals: Box<[Removal]>,
    /// From which revision on all removals are known.
    known_since: u64,
    json: OnceLock<Bytes>,
    /// The revision that was given out before this one: where most watchers come from.
    previous: u64,
    /// What changed since some revisions.
    deltas: Mutex<Vec<(u64, Bytes)>>,
}

/// An instance that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) revision: u64,
    pub(crate) id: InstanceId,
}

/// What changed since a revision.
#[cfg(feature = "http")]
#[derive(Debug)]
pub(crate) struct Delta<'a> {
    pub(crate) after: u64,
    pub(crate) changed: Vec<&'a Member>,
    pub(crate) removed: Vec<&'a InstanceId>,
}

impl View {
    pub(super) fn new(
        snapshot: Snapshot,
        changed_at: Box<[u64]>,
        removals: Box<[Removal]>,
        known_since: u64,
        previous: u64,
    ) -> Self {
        Self {
            snapshot,
            changed_at,
            removals,
            known_since,
            json: OnceLock::new(),
            previous,
            deltas: Mutex::default(),
        }
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    #[cfg(feature = "http")]
    pub(crate) const fn cursor(&self) -> Cursor {
        self.snapshot.cursor()
    }

    pub(crate) const fn authority(&self) -> Authority {
        self.snapshot.authority()
    }
}

#[cfg(feature = "http")]
impl View {
    /// What changed since a position; `None` when that is not known any more, or never was.
    pub(crate) fn delta(&self, after: Cursor) -> Option<Delta<'_>> {
        let now = self.cursor();
        let is_known = after.epoch() == now.epoch()
            && (self.known_since..=now.revision()).contains(&after.revision());
        if !is_known {
            return None;
        }
        let after = after.revision();
        let members = self.snapshot.instances();
        let changed: Vec<&Member> = members
            .iter()
            .zip(&self.changed_at)
            .filter_map(|(member, at)| (*at > after).then_some(member))
            .collect();
        let is_listed = |id: &InstanceId| {
            members
                .binary_search_by(|member| member.instance.id.cmp(id))
                .is_ok()
        };
        let mut removed: Vec<&InstanceId> = self
            .removals
            .iter()
            .filter(|removal| removal.revision > after && !is_listed(&removal.id))
            .map(|removal| &removal.id)
            .collect();
        removed.sort_unstable();
        removed.dedup();
        Some(Delta {
            after,
            changed,
            removed,
        })
    }

    /// The snapshot as it goes over the wire.
    pub(crate) fn json(&self, encode: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.json.get_or_init(|| encode(&self.snapshot)).clone()
    }

    /// What changed since a position, as it goes over the wire.
    ///
    /// Written once for all who come from the revision before, and for a few others: whoever names odd
    /// positions first must not make everybody else's be written one by one.
    pub(crate) fn delta_json(
        &self,
        after: Cursor,
        encode: impl Fn(&Snapshot, &Delta<'_>) -> Bytes,
    ) -> Option<Bytes> {
        if after.epoch() != self.cursor().epoch() {
            return None;
        }
        let at = after.revision();
        let deltas = || self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        let written = deltas().iter().find(|(of, _)| *of == at).cloned();
        if let Some((_, json)) = written {
            return Some(json);
        }
        let json = encode(&self.snapshot, &self.delta(after)?);
        let mut deltas = deltas();
        if at == self.previous || deltas.len() < DELTAS_MAX {
            deltas.push((at, json.clone()));
        }
        Some(json)
    }
}

/// Changes follow each other before all watchers have heard of the first, so there are a few positions.
#[cfg(feature = "http")]
const DELTAS_MAX: usize = 4;
