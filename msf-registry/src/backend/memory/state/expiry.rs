//! Whose lease has run out, and whether that is believed.

use std::{collections::hash_map::Entry, time::Duration};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::{PULSE, State, UNSURE, later};
use crate::{
    backend::memory::{
        preservation::{Allowance, Census, Hold, SWEEP},
        service::{Listed, Service},
    },
    model::Health,
};

/// All services together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole {
    census: Census,
    /// Whether a check of somebody who also renews passes: then checks that fail say something.
    is_checking: bool,
}

impl State {
    /// Says that the process runs. Told more rarely than every [`PULSE`], it takes the process for one that
    /// stood still, and its leases with it: renewals had no chance to be read.
    #[cfg(any(feature = "http", test))]
    pub(in crate::backend::memory) fn pulse(&mut self, now: Instant) {
        self.awake(now);
        self.pulse = Some(now);
    }

    /// Gives what was lost to a process that stood still back to all leases.
    pub(super) fn awake(&mut self, now: Instant) {
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
    pub(super) fn is_global(&mut self, now: Instant) -> bool {
        let census = self.whole(now).census;
        let before = self.hold;
        let is_global = self.hold.is_global(&self.preservation, census, now);
        note("*", before, self.hold, census);
        is_global
    }

    /// Lets go whose lease ran out, unless too few renewals arrive.
    pub(super) fn expire(&mut self, name: &ServiceName, now: Instant) {
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
    pub(super) fn settle(&mut self, name: &ServiceName, now: Instant) {
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

    pub(super) fn expire_all(&mut self, now: Instant) {
        let due = self.services.iter().filter(|(_, s)| s.check_at <= now);
        let names: Vec<ServiceName> = due.map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.expire(name, now);
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

/// A shorter pause than this is a busy machine.
const PAUSE_MIN: Duration = Duration::from_secs(2);

const RECOUNT: Duration = Duration::from_secs(1);

/// Beyond it, services without an instance are forgotten at once.
const EMPTY_MAX: usize = 10_000;
