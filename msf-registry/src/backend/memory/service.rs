//! What is known of one service.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::{
    preservation::{Census, Hold},
    state::later,
    view::{Removal, View},
};
use crate::model::{Authority, Cursor, Health, Instance, Member, Snapshot, Status};

/// One service. It is kept for a while after its last instance has left, so that callers who ask then
/// learn whether that was on purpose.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) revision: u64,
    pub(super) listed: BTreeMap<InstanceId, Listed>,
    /// Nothing happens by itself before it. A renewal leaves it where it is, so that only who comes after
    /// it looks at every lease, and not every renewal.
    pub(super) check_at: Instant,
    pub(super) hold: Hold,
    /// Until when lists are not [explicit](Authority::Explicit): somebody's lease ran out lately.
    pub(super) unsure_until: Option<Instant>,
    removals: VecDeque<Removal>,
    /// From which revision on all removals are known.
    known_since: u64,
    /// What was answered last, for the next one who asks.
    view: Option<Arc<View>>,
    /// The revision of the last answer, and the one before it.
    told: (u64, u64),
}

/// An instance and its lease.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) instance: Arc<Instance>,
    pub(super) health: Health,
    pub(super) operator_status: Option<Status>,
    pub(super) token: u64,
    pub(super) ttl: Duration,
    pub(super) renewed_at: Instant,
    pub(super) expires_at: Instant,
    /// How long after the one before it the last renewal came.
    pub(super) pace: Duration,
    pub(super) changed_at: u64,
    /// Whose place it took although that one's lease lived, and until when that one is refused.
    pub(super) displaced: Option<(SocketAddr, Instant)>,
}

impl Listed {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.expires_at <= now
    }

    /// Whether its renewal was expected and did not come. Who renews more rarely than a third of the time to
    /// live is waited for at its own pace.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let pace = self.pace.saturating_mul(3) / 2;
        now >= later(self.renewed_at, pace.clamp(self.ttl / 2, self.ttl))
    }

    pub(super) fn renew(&mut self, now: Instant) {
        self.pace = now.saturating_duration_since(self.renewed_at);
        self.renewed_at = now;
        self.expires_at = later(now, self.ttl);
    }
}

impl Service {
    /// A service whose history begins with the revision that it is about to get.
    pub(super) const fn new(check_at: Instant, known_since: u64) -> Self {
        Self {
            revision: known_since,
            listed: BTreeMap::new(),
            check_at,
            hold: Hold::Normal,
            unsure_until: None,
            removals: VecDeque::new(),
            known_since,
            view: None,
            told: (known_since, known_since),
        }
    }

    /// Gives it a new revision, at which `id` changed or left.
    pub(super) fn touch(&mut self, revision: u64, id: Option<&InstanceId>) {
        self.revision = revision;
        self.view = None;
        let Some(id) = id else { return };
        if let Some(listed) = self.listed.get_mut(id) {
            listed.changed_at = revision;
            return;
        }
        if self.removals.len() == REMOVALS_MAX
            && let Some(oldest) = self.removals.pop_front()
        {
            self.known_since = oldest.revision;
        }
        let id = id.clone();
        self.removals.push_back(Removal { revision, id });
    }

    pub(super) fn census(&self, now: Instant) -> Census {
        let mut census = Census::default();
        for listed in self.listed.values() {
            census.listed += 1;
            census.late += usize::from(listed.is_late(now));
            census.due += usize::from(listed.is_due(now));
        }
        census.services_late = usize::from(census.late > 0);
        census
    }

    /// The first moment at which another lease runs out.
    pub(super) fn next_expiry(&self, now: Instant) -> Option<Instant> {
        let ends = self.listed.values().map(|listed| listed.expires_at);
        ends.filter(|end| *end > now).min()
    }

    pub(super) fn view(
        &mut self,
        name: &ServiceName,
        epoch: u64,
        authority: Authority,
    ) -> Arc<View> {
        // Doubt ends by time alone, and is part of what was answered.
        if let Some(view) = &self.view
            && view.authority() == authority
        {
            return Arc::clone(view);
        }
        let members: Vec<Member> = self
            .listed
            .values()
            .map(|listed| {
                Member::new(Arc::clone(&listed.instance), listed.health)
                    .operator_status(listed.operator_status)
            })
            .collect();
        let cursor = Cursor::new(epoch, self.revision);
        if self.told.0 != self.revision {
            self.told = (self.revision, self.told.0);
        }
        let view = Arc::new(View::new(
            Snapshot::new(name.clone(), cursor, authority, members),
            self.listed
                .values()
                .map(|listed| listed.changed_at)
                .collect(),
            self.removals.iter().cloned().collect(),
            self.known_since,
            self.told.1,
        ));
        self.view = Some(Arc::clone(&view));
        view
    }

    /// Moves every moment of it by as long as the process stood still; leases that had run out before stay so.
    pub(super) fn shift(&mut self, stood_still_at: Instant, pause: Duration, now: Instant) {
        for listed in self.listed.values_mut() {
            if listed.expires_at > stood_still_at {
                listed.expires_at += pause;
                listed.renewed_at += pause;
            }
        }
        if let Some(until) = &mut self.unsure_until
            && *until > stood_still_at
        {
            *until += pause;
        }
        self.hold.shift(pause);
        self.check_at = now;
    }
}

/// How many instances may leave while a watcher is away until it has to read the whole list again.
const REMOVALS_MAX: usize = 256;
