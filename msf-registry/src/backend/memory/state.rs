//! The registry's memory as a plain data structure that is told the time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use crate::model::{Authority, Cursor, Health, Instance, Member, Snapshot};

/// Everything that is registered.
///
/// Revisions are drawn from one counter, so that a service which was forgotten and comes back never
/// repeats a revision.
#[derive(Debug)]
pub(super) struct State {
    epoch: u64,
    revision: u64,
    /// The revision of every service that has no instance: that at which the last one was forgotten.
    floor: u64,
    warm_at: Instant,
    is_warm: bool,
    instances: usize,
    instances_max: usize,
    services: HashMap<ServiceName, Service>,
}

#[derive(Debug)]
struct Service {
    revision: u64,
    listed: BTreeMap<InstanceId, Listed>,
    /// No lease ends before it. A renewal leaves it where it is, so that only who comes after it looks
    /// at every lease, and not every renewal.
    no_expiry_before: Instant,
    /// What was answered last, for the next one who asks.
    snapshot: Option<Snapshot>,
}

#[derive(Debug)]
struct Listed {
    instance: Arc<Instance>,
    health: Health,
    token: u64,
    ttl: Duration,
    expires_at: Instant,
}

/// No room for another instance.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a waiter finds.
#[derive(Debug)]
pub(super) enum Look {
    Changed(Snapshot),
    /// Nothing yet; look again at this moment even if nobody rings.
    Wait(Option<Instant>),
}

impl State {
    pub(super) fn new(epoch: u64, warm_at: Instant, instances_max: usize) -> Self {
        Self {
            epoch,
            revision: 0,
            floor: 0,
            warm_at,
            is_warm: false,
            instances: 0,
            instances_max,
            services: HashMap::new(),
        }
    }

    #[cfg(feature = "http")]
    pub(super) fn warm_at(&mut self, warm_at: Instant) {
        self.warm_at = warm_at;
        self.is_warm = false;
        self.touch_all();
    }

    #[cfg(feature = "http")]
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn is_warm(&self, now: Instant) -> bool {
        now >= self.warm_at
    }

    /// Lists an instance, in the place of one with the same id.
    pub(super) fn register(
        &mut self,
        instance: Instance,
        token: u64,
        ttl: Duration,
        now: Instant,
    ) -> Result<(), Full> {
        self.expire(&instance.service, now);
        let is_new = self
            .services
            .get(&instance.service)
            .is_none_or(|service| !service.listed.contains_key(&instance.id));
        if is_new && self.instances >= self.instances_max {
            self.expire_all(now);
            if self.instances >= self.instances_max {
                return Err(Full);
            }
        }
        self.revision += 1;
        let expires_at = later(now, ttl);
        let service = self
            .services
            .entry(instance.service.clone())
            .or_insert_with(|| Service::new(expires_at));
        service.no_expiry_before = service.no_expiry_before.min(expires_at);
        let before = service.listed.get(&instance.id);
        // The same process that registers again is as healthy as it was; another address is unproven.
        let health = before
            .filter(|listed| listed.instance.addr() == instance.addr())
            .map_or(Health::Unknown, |listed| listed.health);
        let listed = Listed {
            health,
            token,
            ttl,
            expires_at,
            instance: Arc::new(instance),
        };
        service.listed.insert(listed.instance.id.clone(), listed);
        service.touch(self.revision);
        self.instances += usize::from(is_new);
        Ok(())
    }

    /// Prolongs a lease; `None` if it is not known.
    pub(super) fn renew(
        &mut self,
        service: &ServiceName,
        id: &InstanceId,
        token: u64,
        now: Instant,
    ) -> Option<Duration> {
        self.expire(service, now);
        let listed = self.services.get_mut(service)?.listed.get_mut(id)?;
        if listed.token != token {
            return None;
        }
        listed.expires_at = later(now, listed.ttl);
        Some(listed.ttl)
    }

    /// Ends a lease; whether it was there.
    pub(super) fn deregister(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        token: u64,
        now: Instant,
    ) -> bool {
        self.expire(name, now);
        let Some(service) = self.services.get_mut(name) else {
            return false;
        };
        let is_there = service.listed.get(id).is_some_and(|l| l.token == token);
        if is_there {
            service.listed.remove(id);
            self.removed(name, 1);
        }
        is_there
    }

    /// Notes what a check of the instance at `addr` found; whether that is news.
    pub(super) fn set_health(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        token: u64,
        health: Health,
    ) -> bool {
        let Some(service) = self.services.get_mut(name) else {
            return false;
        };
        let Some(listed) = service.listed.get_mut(id) else {
            return false;
        };
        if listed.token != token || listed.health == health {
            return false;
        }
        listed.health = health;
        self.revision += 1;
        service.touch(self.revision);
        true
    }

    pub(super) fn snapshot(&mut self, name: &ServiceName, now: Instant) -> Snapshot {
        self.warm(now);
        self.expire(name, now);
        let cursor = self.cursor(name);
        let is_warm = self.is_warm;
        let Some(service) = self.services.get_mut(name) else {
            return Snapshot::new(name.clone(), cursor, authority(is_warm), []);
        };
        if let Some(snapshot) = &service.snapshot {
            return snapshot.clone();
        }
        let members: Vec<Member> = service
            .listed
            .values()
            .map(|listed| Member::new(Arc::clone(&listed.instance), listed.health))
            .collect();
        let snapshot = Snapshot::new(name.clone(), cursor, authority(is_warm), members);
        service.snapshot = Some(snapshot.clone());
        snapshot
    }

    /// What has changed since `after`, or until when nothing will change by itself.
    pub(super) fn look(&mut self, name: &ServiceName, after: Cursor, now: Instant) -> Look {
        self.warm(now);
        self.expire(name, now);
        if self.cursor(name) != after {
            return Look::Changed(self.snapshot(name, now));
        }
        let expiry = self.services.get(name).map(|s| s.no_expiry_before);
        let warm_at = (!self.is_warm).then_some(self.warm_at);
        Look::Wait(expiry.into_iter().chain(warm_at).min())
    }

    pub(super) fn services(&mut self, now: Instant) -> Vec<ServiceName> {
        self.expire_all(now);
        let mut names: Vec<ServiceName> = self.services.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many instances and services there are.
    #[cfg(feature = "http")]
    pub(super) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.expire_all(now);
        (self.instances, self.services.len())
    }

    /// Every instance with its token and health, in no order.
    #[cfg(feature = "health")]
    pub(super) fn all(&mut self, now: Instant) -> Vec<(Arc<Instance>, u64, Health)> {
        self.expire_all(now);
        self.services
            .values()
            .flat_map(|service| service.listed.values())
            .map(|listed| (Arc::clone(&listed.instance), listed.token, listed.health))
            .collect()
    }

    fn cursor(&self, name: &ServiceName) -> Cursor {
        let service = self.services.get(name);
        Cursor::new(self.epoch, service.map_or(self.floor, |s| s.revision))
    }

    /// The end of the warm-up is a change to every service: the same list is now authoritative.
    fn warm(&mut self, now: Instant) {
        if !self.is_warm && now >= self.warm_at {
            self.is_warm = true;
            self.touch_all();
        }
    }

    fn touch_all(&mut self) {
        self.revision += 1;
        self.floor = self.revision;
        for service in self.services.values_mut() {
            service.touch(self.revision);
        }
    }

    fn expire(&mut self, name: &ServiceName, now: Instant) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if now < service.no_expiry_before {
            return;
        }
        let before = service.listed.len();
        service.listed.retain(|_, listed| listed.expires_at > now);
        let left = service.listed.values().map(|listed| listed.expires_at);
        service.no_expiry_before = left.min().unwrap_or(now);
        let count = before - service.listed.len();
        self.removed(name, count);
    }

    fn expire_all(&mut self, now: Instant) {
        let names: Vec<ServiceName> = self.services.keys().cloned().collect();
        for name in &names {
            self.expire(name, now);
        }
    }

    /// Makes it known that so many instances of a service are gone.
    fn removed(&mut self, name: &ServiceName, count: usize) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if count == 0 {
            return;
        }
        self.instances -= count;
        self.revision += 1;
        service.touch(self.revision);
        if service.listed.is_empty() {
            self.services.remove(name);
            self.floor = self.revision;
        }
    }
}

impl Service {
    const fn new(no_expiry_before: Instant) -> Self {
        Self {
            revision: 0,
            listed: BTreeMap::new(),
            no_expiry_before,
            snapshot: None,
        }
    }

    fn touch(&mut self, revision: u64) {
        self.revision = revision;
        self.snapshot = None;
    }
}

const fn authority(is_warm: bool) -> Authority {
    if is_warm {
        Authority::Complete
    } else {
        Authority::Partial
    }
}

/// A moment that the clock can tell, however long the wait.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    now + wait.min(FOREVER)
}

/// A hundred years; an [`Instant`] ends somewhere beyond.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);
