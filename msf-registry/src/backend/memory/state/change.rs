//! Who comes, stays and goes, and what is said about them.

use std::{collections::hash_map::Entry, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::{NotListed, State, Unknown, later};
use crate::{
    backend::memory::service::{Listed, Service},
    model::{Health, Instance, Status},
};

impl State {
    /// Lists an instance, in the place of one with the same id.
    pub(in crate::backend::memory) fn register(
        &mut self,
        instance: Instance,
        token: u64,
        ttl: Duration,
        now: Instant,
    ) -> Result<(), NotListed> {
        self.awake(now);
        self.expire(&instance.service, now);
        let displaced = self.displaced(&instance, now)?;
        let before = self.services.get(&instance.service);
        let before = before.and_then(|service| service.listed.get(&instance.id));
        let is_new = before.is_none();
        // The same process that registers again is as healthy as it was; another address is unproven.
        let health = before
            .filter(|listed| listed.instance.addr() == instance.addr())
            .map_or(Health::Unknown, |listed| listed.health);
        let operator_status = match before {
            Some(listed) => listed.operator_status,
            None => self.overrides.take(&instance.service, &instance.id, now),
        };
        if is_new && self.instances >= self.instances_max {
            self.expire_all(now);
            if self.instances >= self.instances_max {
                return Err(NotListed::Full);
            }
        }
        // Nobody of a service that was not known has left since.
        let known_since = self.floor;
        self.revision += 1;
        let listed = Listed {
            health,
            operator_status,
            token,
            ttl,
            renewed_at: now,
            expires_at: later(now, ttl),
            pace: ttl / 3,
            changed_at: self.revision,
            displaced,
            instance: Arc::new(instance),
        };
        let service = match self.services.entry(listed.instance.service.clone()) {
            Entry::Occupied(entry) => {
                let service = entry.into_mut();
                self.empty -= usize::from(service.listed.is_empty());
                service
            }
            Entry::Vacant(entry) => entry.insert(Service::new(listed.expires_at, known_since)),
        };
        service.check_at = service.check_at.min(listed.expires_at);
        let id = listed.instance.id.clone();
        service.listed.insert(id.clone(), listed);
        service.touch(self.revision, Some(&id));
        self.instances += usize::from(is_new);
        Ok(())
    }

    /// Whom a new registration displaces, unless two living processes fight over the id: then the one that
    /// came first is refused for as long as the other one renews. Otherwise both would be listed in turn.
    fn displaced(
        &mut self,
        instance: &Instance,
        now: Instant,
    ) -> Result<Option<(SocketAddr, Instant)>, NotListed> {
        let service = self.services.get_mut(&instance.service);
        let Some(held) = service.and_then(|service| service.listed.get_mut(&instance.id)) else {
            return Ok(None);
        };
        let displaced = held.displaced.filter(|(_, until)| *until > now);
        let holder = held.instance.addr();
        if held.is_due(now) {
            return Ok(None);
        }
        if holder == instance.addr() {
            return Ok(displaced);
        }
        if displaced.is_some_and(|(addr, _)| addr == instance.addr()) {
            held.displaced = Some((instance.addr(), later(now, held.ttl)));
            self.tally.refused += 1;
            return Err(NotListed::Taken(holder));
        }
        self.tally.displaced += 1;
        Ok(Some((holder, held.expires_at)))
    }

    /// Prolongs a lease; `None` if it is not known.
    pub(in crate::backend::memory) fn renew(
        &mut self,
        service: &ServiceName,
        id: &InstanceId,
        token: u64,
        now: Instant,
    ) -> Option<Duration> {
        self.awake(now);
        self.expire(service, now);
        let service = self.services.get_mut(service)?;
        let listed = service.listed.get_mut(id)?;
        if listed.token != token {
            return None;
        }
        listed.renew(now);
        Some(listed.ttl)
    }

    /// Ends a lease; whether it was there.
    pub(in crate::backend::memory) fn deregister(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        token: u64,
        now: Instant,
    ) -> bool {
        self.awake(now);
        self.expire(name, now);
        let is_there = self.lease(name, id, token).is_some();
        if is_there {
            self.remove(name, std::slice::from_ref(id), now);
        }
        is_there
    }

    /// Notes what the instance says about itself; whether that is news. `Err` if the lease is not known.
    pub(in crate::backend::memory) fn set_status(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        token: u64,
        status: Status,
        now: Instant,
    ) -> Result<bool, Unknown> {
        self.awake(now);
        self.expire(name, now);
        let listed = self.lease(name, id, token).ok_or(Unknown)?;
        if listed.instance.status == status {
            return Ok(false);
        }
        listed.instance = Arc::new(Instance::clone(&listed.instance).status(status));
        self.changed(name, id);
        Ok(true)
    }

    /// Notes what an operator says about an instance, or no longer says; whether that is news.
    pub(in crate::backend::memory) fn set_override(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        status: Option<Status>,
        now: Instant,
    ) -> Result<bool, Unknown> {
        self.awake(now);
        self.expire(name, now);
        let service = self.services.get_mut(name);
        let Some(listed) = service.and_then(|service| service.listed.get_mut(id)) else {
            // Of somebody who has left, it can only be taken back.
            let was_kept = status.is_none() && self.overrides.take(name, id, now).is_some();
            return if was_kept { Ok(false) } else { Err(Unknown) };
        };
        if listed.operator_status == status {
            return Ok(false);
        }
        listed.operator_status = status;
        self.changed(name, id);
        Ok(true)
    }

    /// Notes what a check of the instance at `addr` found; whether that is news.
    pub(in crate::backend::memory) fn set_health(
        &mut self,
        name: &ServiceName,
        id: &InstanceId,
        token: u64,
        health: Health,
        now: Instant,
    ) -> bool {
        self.awake(now);
        let Some(listed) = self.lease(name, id, token) else {
            return false;
        };
        if listed.health == health {
            return false;
        }
        listed.health = health;
        if listed.is_due(now) {
            // It may refute a lease that is only held.
            self.counted = None;
        }
        self.changed(name, id);
        if let Some(service) = self.services.get_mut(name) {
            service.check_at = service.check_at.min(now);
        }
        true
    }

    fn lease(&mut self, name: &ServiceName, id: &InstanceId, token: u64) -> Option<&mut Listed> {
        let listed = self.services.get_mut(name)?.listed.get_mut(id)?;
        (listed.token == token).then_some(listed)
    }

    /// Takes instances of a service away; those who left by themselves leave nobody unsure.
    pub(super) fn remove(&mut self, name: &ServiceName, ids: &[InstanceId], now: Instant) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        self.revision += 1;
        for id in ids {
            let Some(listed) = service.listed.remove(id) else {
                continue;
            };
            self.instances -= 1;
            if let Some(status) = listed.operator_status {
                self.overrides.keep(name, id, status, now);
            }
            service.touch(self.revision, Some(id));
        }
        if service.listed.is_empty() {
            self.empty += 1;
            self.settle(name, now);
        }
    }

    fn changed(&mut self, name: &ServiceName, id: &InstanceId) {
        if let Some(service) = self.services.get_mut(name) {
            self.revision += 1;
            service.touch(self.revision, Some(id));
        }
    }
}
