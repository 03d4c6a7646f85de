//! The registry's memory as a plain data structure that is told the time.

mod change;
mod expiry;
mod look;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use msf_core::name::ServiceName;
use tokio::time::Instant;

use self::expiry::Whole;
use super::{
    overrides::Overrides,
    preservation::{Hold, SelfPreservation},
    service::Service,
    view::View,
};

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
