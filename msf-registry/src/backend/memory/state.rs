//! The registry's memory as a plain data structure that is told the time.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::{
    overrides::Overrides,
    preservation::{Allowance, Census, Hold, SWEEP, SelfPreservation},
    service::{Listed, Service},
    view::View,
};
use crate::model::{Authority, Cursor, Health, Instance, Snapshot, Status};

/// Everything that is registered.
///
/// Revisions are drawn from one counter, so that a service which was forgotten and comes back never
/// repeats a revision.
#[derive(Debug)]
pub(super) struct State {
    epoch: u64,
    revision: u64,
    /// The revision of every service that is not known: that at which the last one was forgotten.
    floor: u64,
    warm_at: Instant,
    is_warm: bool,
    /// Until when instances of the epoch before may still be missing of services that this one hardly knows.
    unsure_until: Instant,
    instances: usize,
    /// Services that are kept without an instance.
    empty: usize,
    instances_max: usize,
    preservation: SelfPreservation,
    hold: Hold,
    /// All leases as of a moment ago: counting them is not for every look.
    counted: Option<(Instant, Whole)>,
    services: HashMap<ServiceName, Service>,
    overrides: Overrides,
    random: fastrand::Rng,
    /// When the process was last seen to run, while somebody gives a pulse.
    pulse: Option<Instant>,
    tally: Tally,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) expired: u64,
    pub(super) refuted: u64,
    pub(super) overstayed: u64,
    pub(super) displaced: u64,
    pub(super) refused: u64,
    pub(super) pauses: u64,
}

/// Why an instance is not listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotListed {
    /// No room for another instance.
    Full,
    /// Another process keeps the id.
    Taken(SocketAddr),
}

/// Nothing of that name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown;

/// What a waiter finds.
#[derive(Debug)]
pub(super) enum Look {
    Changed(Arc<View>),
    /// Nothing yet; look again at this moment even if nobody rings.
    Wait(Option<Instant>),
}

/// All services together.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    census: Census,
    /// Whether a check of somebody who also renews passes: then checks that fail say something.
    is_checking: bool,
}

impl State {
    pub(super) fn new(
        epoch: u64,
        now: Instant,
        warm_up: Duration,
        instances_max: usize,
        preservation: SelfPreservation,
    ) -> Self {
        let mut state = Self {
            epoch,
            revision: 0,
            floor: 0,
            warm_at: now,
            is_warm: true,
            unsure_until: later(now, UNSURE),
            instances: 0,
            empty: 0,
            instances_max,
            preservation,
            hold: Hold::Normal,
            counted: None,
            services: HashMap::new(),
            overrides: Overrides::default(),
            random: fastrand::Rng::with_seed(epoch),
            pulse: None,
            tally: Tally::default(),
        };
        if !warm_up.is_zero() {
            state.warm_up(now, warm_up);
        }
        state
    }

    /// Takes back that it knows everybody, for so long.
    pub(super) fn warm_up(&mut self, now: Instant, warm_up: Duration) {
        self.warm_at = later(now, warm_up);
        self.is_warm = false;
        self.unsure_until = later(self.warm_at, UNSURE);
        self.touch_all();
    }

    #[cfg(feature = "http")]
    pub(super) const fn preserve(&mut self, preservation: SelfPreservation) {
        self.preservation = preservation;
    }

    #[cfg(feature = "http")]
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn is_warm(&self, now: Instant) -> bool {
        now >= self.warm_at
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// The services that are preserved, and whether the registry as a whole is.
    pub(super) fn preserved(&mut self, now: Instant) -> (Vec<ServiceName>, bool) {
        self.expire_all(now);
        if self.hold != Hold::Normal {
            self.is_global(now);
        }
        let held = self.services.iter().filter(|(_, s)| s.hold.is_holding());
        let names = held.map(|(name, _)| name.clone()).collect();
        (names, self.hold.is_holding())
    }

    /// Says that the process runs. Told more rarely than every [`PULSE`], it takes the process for one that
    /// stood still, and its leases with it: renewals had no chance to be read.
    #[cfg(any(feature = "http", test))]
    pub(super) fn pulse(&mut self, now: Instant) {
        self.awake(now);
        self.pulse = Some(now);
    }

    /// Lists an instance, in the place of one with the same id.
    pub(super) fn register(
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
    pub(super) fn renew(
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
    pub(super) fn deregister(
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
    pub(super) fn set_status(
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
    pub(super) fn set_override(
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
    pub(super) fn set_health(
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

    pub(super) fn view(&mut self, name: &ServiceName, now: Instant) -> Arc<View> {
        self.awake(now);
        self.warm(now);
        self.expire(name, now);
        let cursor = self.cursor(name);
        let authority = self.authority(name, now);
        let Some(service) = self.services.get_mut(name) else {
            let nobody = Snapshot::new(name.clone(), cursor, authority, []);
            let known_since = cursor.revision();
            return Arc::new(View::new(
                nobody,
                [].into(),
                [].into(),
                known_since,
                known_since,
            ));
        };
        service.view(name, self.epoch, authority)
    }

    /// What has changed since `after`, or until when nothing will change by itself.
    pub(super) fn look(&mut self, name: &ServiceName, after: Cursor, now: Instant) -> Look {
        self.awake(now);
        self.warm(now);
        self.expire(name, now);
        if self.cursor(name) != after {
            return Look::Changed(self.view(name, now));
        }
        let service = self.services.get(name);
        let check_at = service.filter(|s| !s.listed.is_empty()).map(|s| s.check_at);
        let warm_at = (!self.is_warm).then_some(self.warm_at);
        Look::Wait(check_at.into_iter().chain(warm_at).min())
    }

    pub(super) fn services(&mut self, now: Instant) -> Vec<ServiceName> {
        self.awake(now);
        self.expire_all(now);
        let mut names: Vec<ServiceName> = self
            .services
            .iter()
            .filter(|(_, service)| !service.listed.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    /// How many instances and services there are.
    #[cfg(any(feature = "http", test))]
    pub(super) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.awake(now);
        self.expire_all(now);
        (self.instances, self.services.len() - self.empty)
    }

    /// Every instance with its token and health, in no order.
    #[cfg(feature = "health")]
    pub(super) fn all(&mut self, now: Instant) -> Vec<(Arc<Instance>, u64, Health)> {
        self.awake(now);
        self.expire_all(now);
        self.services
            .values()
            .flat_map(|service| service.listed.values())
            .map(|listed| (Arc::clone(&listed.instance), listed.token, listed.health))
            .collect()
    }

    fn lease(&mut self, name: &ServiceName, id: &InstanceId, token: u64) -> Option<&mut Listed> {
        let listed = self.services.get_mut(name)?.listed.get_mut(id)?;
        (listed.token == token).then_some(listed)
    }

    fn cursor(&self, name: &ServiceName) -> Cursor {
        let service = self.services.get(name);
        Cursor::new(self.epoch, service.map_or(self.floor, |s| s.revision))
    }

    /// How far a list of this moment is vouched for.
    fn authority(&self, name: &ServiceName, now: Instant) -> Authority {
        let service = self.services.get(name);
        let has_expired = service
            .and_then(|service| service.unsure_until)
            .is_some_and(|until| now < until);
        // Of a young memory, only a service is known whose instances all came and said goodbye.
        let is_known =
            now >= self.unsure_until || service.is_some_and(|service| service.listed.is_empty());
        let is_unsure = has_expired || !is_known;
        match (self.is_warm, is_unsure) {
            (false, _) => Authority::Partial,
            (true, true) => Authority::Complete,
            (true, false) => Authority::Explicit,
        }
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
            service.touch(self.revision, None);
        }
    }

    /// Gives what was lost to a process that stood still back to all leases.
    fn awake(&mut self, now: Instant) {
        let Some(pulse) = self.pulse else { return };
        let gap = now.saturating_duration_since(pulse);
        if gap < PULSE + PAUSE_MIN {
            // Whoever comes shows that the process runs, also when its pulse is late.
            self.pulse = Some(now.max(pulse));
            return;
        }
        // Only the next pulse says that somebody still gives one.
        self.pulse = None;
        let pause = gap - PULSE;
        self.tally.pauses += 1;
        tracing::warn!(
            ?pause,
            "this process stood still; leases are prolonged by that"
        );
        for service in self.services.values_mut() {
            service.shift(pulse, pause, now);
        }
        self.hold.shift(pause);
        self.counted = None;
        if !self.is_warm {
            self.warm_at += pause;
        }
        if self.unsure_until > pulse {
            self.unsure_until += pause;
        }
    }

    /// All leases, counted at most once a second.
    fn whole(&mut self, now: Instant) -> Whole {
        if let Some((at, whole)) = self.counted
            && now < at + RECOUNT
        {
            return whole;
        }
        let mut whole = Whole::default();
        for service in self.services.values() {
            let census = service.census(now);
            whole.census.listed += census.listed;
            whole.census.late += census.late;
            whole.census.due += census.due;
            whole.census.services_late += census.services_late;
            whole.is_checking |= service
                .listed
                .values()
                .any(|listed| listed.health == Health::Healthy && !listed.is_late(now));
        }
        self.counted = Some((now, whole));
        whole
    }

    /// Whether too few renewals arrive for the registry as a whole, so that nobody's lease runs out.
    fn is_global(&mut self, now: Instant) -> bool {
        let census = self.whole(now).census;
        let before = self.hold;
        let is_global = self.hold.is_global(&self.preservation, census, now);
        note("*", before, self.hold, census);
        is_global
    }

    /// Lets go whose lease ran out, unless too few renewals arrive.
    fn expire(&mut self, name: &ServiceName, now: Instant) {
        let Some(service) = self.services.get(name) else {
            return;
        };
        if now < service.check_at {
            return;
        }
        let mut census = service.census(now);
        let has_due = census.due > 0;
        // A hold ends when renewals come again, also when nobody's lease runs out then: the next outage
        // would find it spent.
        let is_global = (has_due || self.hold != Hold::Normal) && self.is_global(now);
        if !has_due {
            self.settle(name, now);
            return;
        }
        let whole = self.whole(now);
        let hold_max = self.preservation.hold_max;
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let due = |listed: &Listed| listed.is_due(now);
        let is_refuted = |listed: &Listed| {
            whole.is_checking && due(listed) && listed.health == Health::Unhealthy
        };
        let first_due = service.listed.values().map(|l| l.expires_at).min();
        let refuted = ids(service, is_refuted);
        census.listed -= refuted.len();
        census.late -= refuted.len();
        census.due -= refuted.len();
        let mut others = ids(service, |listed| due(listed) && !is_refuted(listed));
        let first_due = first_due.unwrap_or(now);
        let before = service.hold;
        let allowed = service
            .hold
            .allow(&self.preservation, census, is_global, first_due, now);
        note(name.as_str(), before, service.hold, census);
        match allowed {
            Allowance::All => self.tally.expired += others.len() as u64,
            Allowance::Portion(portion) => {
                // In the order of their ids, the same ones would always go first.
                self.random.shuffle(&mut others);
                others.truncate(portion);
                self.tally.overstayed += others.len() as u64;
            }
            Allowance::Hold => {
                // The registry as a whole may hold again and again; for one lease there is an end.
                others.retain(|id| {
                    let listed = service.listed.get(id);
                    listed.is_some_and(|listed| later(listed.expires_at, hold_max) <= now)
                });
                self.tally.overstayed += others.len() as u64;
            }
        }
        self.tally.refuted += refuted.len() as u64;
        others.extend(refuted);
        if !others.is_empty() {
            service.unsure_until = Some(later(now, UNSURE));
            self.remove(name, &others, now);
        }
        self.settle(name, now);
    }

    /// Decides when a service is looked at again.
    fn settle(&mut self, name: &ServiceName, now: Instant) {
        let Entry::Occupied(mut entry) = self.services.entry(name.clone()) else {
            return;
        };
        let service = entry.get_mut();
        if service.listed.is_empty() {
            let forget_at = service.unsure_until.unwrap_or(now).max(self.unsure_until);
            service.check_at = forget_at;
            if forget_at <= now || self.empty > EMPTY_MAX {
                // What is forgotten early leaves its doubt behind.
                self.unsure_until = self.unsure_until.max(forget_at);
                self.floor = self.floor.max(service.revision);
                self.empty -= 1;
                entry.remove();
            }
            return;
        }
        let census = service.census(now);
        if census.due == 0 {
            service.hold = Hold::Normal;
        }
        let next = service.next_expiry(now);
        let sweep = (census.due > 0).then(|| now + SWEEP);
        service.check_at = next.into_iter().chain(sweep).min().unwrap_or(now);
    }

    fn expire_all(&mut self, now: Instant) {
        let due = self.services.iter().filter(|(_, s)| s.check_at <= now);
        let names: Vec<ServiceName> = due.map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.expire(name, now);
        }
    }

    /// Takes instances of a service away; those who left by themselves leave nobody unsure.
    fn remove(&mut self, name: &ServiceName, ids: &[InstanceId], now: Instant) {
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

fn ids(service: &Service, is_one: impl Fn(&Listed) -> bool) -> Vec<InstanceId> {
    let listed = service.listed.iter().filter(|(_, listed)| is_one(listed));
    listed.map(|(id, _)| id.clone()).collect()
}

fn note(service: &str, before: Hold, after: Hold, census: Census) {
    if before.is_holding() == after.is_holding() {
        return;
    }
    let Census { listed, late, .. } = census;
    if after.is_holding() {
        tracing::warn!(
            service,
            listed,
            late,
            "too few renewals arrive; nobody's lease runs out"
        );
    } else {
        tracing::warn!(service, listed, late, "leases run out again");
    }
}

/// A moment that the clock can tell, however long the wait.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    now + wait.min(FOREVER)
}

/// A hundred years; an [`Instant`] ends somewhere beyond.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// For how long an expiry makes an empty list one that callers should not believe at once: as long as
/// they hold it back.
const UNSURE: Duration = Duration::from_secs(30);

/// How often a process that runs says so.
pub(super) const PULSE: Duration = Duration::from_secs(1);

/// A shorter pause than this is a busy machine.
const PAUSE_MIN: Duration = Duration::from_secs(2);

const RECOUNT: Duration = Duration::from_secs(1);

/// Beyond it, services without an instance are forgotten at once.
const EMPTY_MAX: usize = 10_000;
