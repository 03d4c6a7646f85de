//! What callers see of a file, with positions that grow whenever it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use msf_core::name::ServiceName;

use super::document::Document;
use crate::model::{Authority, Cursor, Health, Instance, Member, Snapshot};

/// The lists of all services.
///
/// Positions are this process's own: what is in the file may be written by hand, copied, or restored
/// from a backup, and still every other list is a later one.
#[derive(Debug)]
pub(super) struct Views {
    epoch: u64,
    revision: u64,
    /// That of every service that is not listed.
    floor: u64,
    /// Of a service that is not listed: whether somebody may be missing.
    is_partial: bool,
    services: BTreeMap<ServiceName, Snapshot>,
}

impl Views {
    pub(super) const fn new(epoch: u64) -> Self {
        Self {
            epoch,
            revision: 0,
            floor: 0,
            is_partial: false,
            services: BTreeMap::new(),
        }
    }

    /// Takes in what the file says now; whether any list is another one.
    pub(super) fn take(&mut self, document: &Document, now: u64) -> bool {
        let before = self.revision;
        let is_partial = document.is_partial(now);
        let lapsed: BTreeSet<&ServiceName> =
            document.lapsed(now.saturating_sub(HOLD_MS), now).collect();
        let mut lists: BTreeMap<&ServiceName, Vec<&Arc<Instance>>> = BTreeMap::new();
        for instance in document.listed(now) {
            lists.entry(&instance.service).or_default().push(instance);
        }
        for service in &lapsed {
            lists.entry(service).or_default();
        }
        let is_gone = |service: &ServiceName| !lists.contains_key(service);
        let listed = self.services.len();
        self.services.retain(|service, _| !is_gone(service));
        if self.services.len() < listed || self.is_partial != is_partial {
            self.is_partial = is_partial;
            self.revision += 1;
            self.floor = self.revision;
        }
        for (service, mut instances) in lists {
            instances.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let authority = match (is_partial, lapsed.contains(service)) {
                (true, _) => Authority::Partial,
                (false, true) => Authority::Complete,
                (false, false) => Authority::Explicit,
            };
            self.list(service, &instances, authority);
        }
        self.revision != before
    }

    pub(super) fn snapshot(&self, service: &ServiceName) -> Snapshot {
        self.services.get(service).cloned().unwrap_or_else(|| {
            let authority = if self.is_partial {
                Authority::Partial
            } else {
                Authority::Explicit
            };
            let cursor = Cursor::new(self.epoch, self.floor);
            Snapshot::new(service.clone(), cursor, authority, [])
        })
    }

    pub(super) fn services(&self) -> Vec<ServiceName> {
        let listed = self.services.iter();
        listed
            .filter(|(_, snapshot)| !snapshot.instances().is_empty())
            .map(|(service, _)| service.clone())
            .collect()
    }

    fn list(&mut self, service: &ServiceName, instances: &[&Arc<Instance>], authority: Authority) {
        let is_same = self.services.get(service).is_some_and(|snapshot| {
            let listed = snapshot.instances().iter().map(|member| &member.instance);
            snapshot.authority() == authority && listed.eq(instances.iter().copied())
        });
        if is_same {
            return;
        }
        self.revision += 1;
        let members: Vec<Member> = instances
            .iter()
            .map(|instance| Member::new(Arc::clone(instance), Health::Unknown))
            .collect();
        let cursor = Cursor::new(self.epoch, self.revision);
        let snapshot = Snapshot::new(service.clone(), cursor, authority, members);
        self.services.insert(service.clone(), snapshot);
    }
}

/// For how long callers doubt an empty list: as long, an expiry is remembered.
pub(super) const HOLD_MS: u64 = 30_000;
