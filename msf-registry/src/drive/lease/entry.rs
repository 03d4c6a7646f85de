//! One registration, from its first try to its end: a plain state machine.

use std::{sync::Arc, time::Duration};

use msf_core::backoff::{Backoff, Delays};
use tokio::time::Instant;

use super::ledger::Put;
use crate::model::{Instance, Lease};

/// What the registry should hold, and what it is known to hold.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wanted: Arc<Instance>,
    /// How often `wanted` was changed.
    pub(super) change: u64,
    /// What the registry took last, and of which change it was.
    taken: Option<(Arc<Instance>, u64)>,
    lease: Option<Held>,
    /// Whether it was registered ever.
    was_listed: bool,
    /// Whether what is wanted was refused for good and the registry holds nothing of it.
    pub(super) is_refused: bool,
    /// A call of it is under way: what becomes due meanwhile waits, so that answers cannot overtake each other.
    pub(super) is_busy: bool,
    /// A registration of the same id that has not ended yet: were our put to overtake its put, the registry would
    /// hold the older one, and its removal must not hit us where a backend looks before it removes.
    pub(super) waits_for: Option<u64>,
    put_at: Option<Instant>,
    puts: Delays,
    renewals: Delays,
    /// Until when its end is tried, once it ends.
    end_by: Option<Instant>,
    remove_at: Instant,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    ttl: Duration,
    /// When the registry last said that it lives.
    confirmed_at: Instant,
    renew_at: Instant,
}

/// What an entry needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Put,
    Renew,
    Remove,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    Registered,
    Lost,
    Refused,
    Ended,
}

impl Entry {
    pub(super) fn new(instance: Arc<Instance>, ttl: Duration, now: Instant, seed: u64) -> Self {
        // Half the time to live, so that a lease survives a failure or two.
        let backoff = Backoff::exponential(BASE, (ttl / 2).clamp(BASE, WAIT_MAX))
            .expect("the cap was clamped to the base, which is not zero");
        Self {
            wanted: instance,
            change: 0,
            taken: None,
            lease: None,
            was_listed: false,
            is_refused: false,
            is_busy: false,
            waits_for: None,
            put_at: Some(now),
            puts: backoff.delays_from_seed(seed),
            renewals: backoff.delays_from_seed(!seed),
            end_by: None,
            remove_at: now,
        }
    }

    /// What it needs next, and when; `None` when it is over or waits for another.
    pub(super) fn next(&self) -> Option<(Instant, Need)> {
        if self.end_by.is_some() {
            return self.lease.as_ref().map(|_| (self.remove_at, Need::Remove));
        }
        if self.waits_for.is_some() {
            return None;
        }
        let put = self.put_at.map(|at| (at, Need::Put));
        let renew = self.lease.as_ref().map(|held| (held.renew_at, Need::Renew));
        put.into_iter().chain(renew).min_by_key(|(at, _)| *at)
    }

    pub(super) const fn is_ending(&self) -> bool {
        self.end_by.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_ending() && !self.is_busy && self.lease.is_none()
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref().map(|held| &held.lease)
    }

    pub(super) const fn end_by(&self) -> Option<Instant> {
        self.end_by
    }

    pub(super) fn stage(&self, now: Instant) -> Stage {
        let is_alive = |held: &Held| now.saturating_duration_since(held.confirmed_at) < held.ttl;
        if self.is_ending() {
            Stage::Ended
        } else if self.lease.as_ref().is_some_and(is_alive) {
            Stage::Registered
        } else if self.is_refused {
            Stage::Refused
        } else if self.was_listed {
            Stage::Lost
        } else {
            Stage::Pending
        }
    }

    /// Another instance is wanted from now on; which change that is.
    pub(super) fn change_to(&mut self, instance: Arc<Instance>, now: Instant) -> u64 {
        if *self.wanted != *instance {
            self.wanted = instance;
            self.change += 1;
            self.put_at = Some(now);
            self.puts.reset();
        }
        self.change
    }

    /// What to put.
    pub(super) fn as_wanted(&self) -> Put {
        Put {
            instance: Arc::clone(&self.wanted),
            change: self.change,
        }
    }

    /// Whether the registry holds this change.
    pub(super) fn has_taken(&self, change: u64) -> bool {
        self.lease.is_some()
            && self
                .taken
                .as_ref()
                .is_some_and(|(_, taken)| *taken >= change)
    }

    pub(super) fn end(&mut self, now: Instant, end_by: Instant) {
        self.end_by = Some(end_by);
        self.remove_at = now;
        self.puts.reset();
    }

    /// The registry took it, as of a change.
    pub(super) fn listed(
        &mut self,
        put: &Put,
        (lease, ttl): (Lease, Duration),
        now: Instant,
        renew_at: Instant,
    ) {
        self.taken = Some((Arc::clone(&put.instance), put.change));
        self.lease = Some(Held {
            lease,
            ttl,
            confirmed_at: now,
            renew_at,
        });
        self.was_listed = true;
        self.is_refused = false;
        self.puts.reset();
        self.renewals.reset();
        self.put_at = (put.change < self.change).then_some(now);
    }

    /// The registry did not take it now; whether that was the first time in a row.
    pub(super) fn not_listed(&mut self, now: Instant) -> bool {
        let is_first = self.puts.attempts() == 0;
        self.put_at = Some(now + self.puts.next_delay());
        is_first
    }

    /// The registry will never take what was put; whether that was the first time in a row.
    pub(super) fn refused(&mut self, put: &Put, now: Instant) -> bool {
        match &self.taken {
            // What was wanted since builds on what was refused; it gets its own answer.
            Some(_) if self.change > put.change => {
                self.put_at = Some(now);
                true
            }
            // Back to what it took before; that has to be put again if the lease has gone meanwhile.
            Some((taken, _)) if self.lease.is_some() || *taken != put.instance => {
                self.wanted = Arc::clone(taken);
                self.taken = Some((Arc::clone(taken), self.change));
                self.put_at = self.lease.is_none().then_some(now);
                self.puts.reset();
                true
            }
            _ => {
                self.is_refused = true;
                self.not_listed(now)
            }
        }
    }

    pub(super) fn renewed(&mut self, ttl: Duration, now: Instant, renew_at: Instant) {
        self.renewals.reset();
        if let Some(held) = &mut self.lease {
            held.ttl = ttl;
            held.confirmed_at = now;
            held.renew_at = renew_at;
        }
    }

    /// The registry does not know its lease.
    pub(super) fn gone(&mut self, put_at: Instant) {
        self.lease = None;
        self.put_at = Some(put_at);
        self.puts.reset();
    }

    /// The registry did not answer to a renewal.
    pub(super) fn not_renewed(&mut self, now: Instant) {
        let wait = self.renewals.next_delay();
        if let Some(held) = &mut self.lease {
            held.renew_at = now + wait;
        }
    }

    /// Nothing is left to remove: it was removed, or there is no time left to try.
    pub(super) fn removed(&mut self) {
        self.lease = None;
    }

    /// The registry did not answer to the removal; whether it is tried again.
    pub(super) fn not_removed(&mut self, now: Instant) -> bool {
        self.remove_at = now + self.puts.next_delay();
        let is_in_time = self.end_by.is_some_and(|end_by| self.remove_at < end_by);
        if !is_in_time {
            self.lease = None;
        }
        is_in_time
    }

    /// Whoever made its call is gone, and nobody knows what came of it.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.is_busy = false;
        if let Some(held) = &mut self.lease {
            held.renew_at = held.renew_at.min(now);
        } else {
            self.put_at = Some(now);
        }
    }

    /// How long a lease lives from a renewal.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.lease.as_ref().map(|held| held.ttl)
    }
}

const BASE: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(30);
