//! One service at one revision, shared by all who ask.

use std::sync::OnceLock;

use bytes::Bytes;
use msf_core::name::InstanceId;

use crate::model::{Authority, Cursor, Member, Snapshot};

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
    /// What changed since the position of most watchers: that of whoever asked first.
    delta_json: OnceLock<(u64, Bytes)>,
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
    ) -> Self {
        Self {
            snapshot,
            changed_at,
            removals,
            known_since,
            json: OnceLock::new(),
            delta_json: OnceLock::new(),
        }
    }

    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

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
    pub(crate) fn delta_json(
        &self,
        after: Cursor,
        encode: impl Fn(&Snapshot, &Delta<'_>) -> Bytes,
    ) -> Option<Bytes> {
        let delta = || self.delta(after);
        match self.delta_json.get() {
            Some((at, json)) if *at == after.revision() => {
                // Of the same epoch: positions of another one have no delta.
                (after.epoch() == self.cursor().epoch()).then(|| json.clone())
            }
            Some(_) => delta().map(|delta| encode(&self.snapshot, &delta)),
            None => {
                let json = encode(&self.snapshot, &delta()?);
                let (at, kept) = self
                    .delta_json
                    .get_or_init(|| (after.revision(), json.clone()));
                Some(if *at == after.revision() {
                    kept.clone()
                } else {
                    json
                })
            }
        }
    }
}
