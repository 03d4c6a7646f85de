//! When which instance is checked: a plain data structure that is told the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::{
    tally::{Outcome, Tally, Thresholds},
    target::Target,
};
use crate::model::{Health, Instance};

/// One registration of one instance; a process that registers anew is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) service: ServiceName,
    pub(super) id: InstanceId,
    pub(super) token: u64,
}

/// How long to wait between two checks of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    /// After a result that speaks against the verdict.
    pub(super) edge: Duration,
    /// While nobody calls the service.
    pub(super) idle: Option<Duration>,
    /// The share of a wait that it may be shorter or longer by.
    pub(super) jitter: f64,
}

/// A check that is to be made now. To be handed back when it is done.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) key: Key,
    pub(super) instance: Arc<Instance>,
    entry: u64,
    lane: Lane,
}

/// Those that passed last are not made to wait for those that may take their whole timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Proven,
    Unproven,
}

/// In the order of their times, except that what has not passed last uses at most three quarters of the
/// places: a host of dead instances, each of which takes its whole timeout, does not delay the others.
#[derive(Debug)]
pub(super) struct Schedule {
    pace: Pace,
    thresholds: Thresholds,
    checked: BTreeMap<Key, Checked>,
    /// Those that are not being checked now, by the time of their next check.
    proven: BTreeSet<(Instant, Key)>,
    unproven: BTreeSet<(Instant, Key)>,
    running: Running,
    /// The number of the next entry.
    entry: u64,
}

#[derive(Debug)]
struct Checked {
    instance: Arc<Instance>,
    /// Tells it from one that left under the same key while it was being checked.
    entry: u64,
    tally: Tally,
    lane: Lane,
    is_idle: bool,
    /// Absent while it is being checked.
    next_at: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    all: usize,
    all_max: usize,
    unproven: usize,
    unproven_max: usize,
}

impl Schedule {
    pub(super) const fn new(pace: Pace, thresholds: Thresholds, concurrency: usize) -> Self {
        Self {
            pace,
            thresholds,
            checked: BTreeMap::new(),
            proven: BTreeSet::new(),
            unproven: BTreeSet::new(),
            running: Running::at_most(concurrency),
            entry: 0,
        }
    }

    /// Takes in who is to be checked now. `random` spreads the first checks over an interval.
    pub(super) fn sync(
        &mut self,
        targets: Vec<Target>,
        now: Instant,
        mut random: impl FnMut() -> f64,
    ) {
        let mut present = BTreeSet::new();
        for target in targets {
            let key = target.key();
            match self.checked.get_mut(&key) {
                Some(checked) => {
                    checked.instance = target.instance;
                    let is_woken = checked.is_idle && !target.is_idle;
                    checked.is_idle = target.is_idle;
                    if is_woken {
                        self.pull_forward(&key, now + self.pace.interval.mul_f64(random()));
                    }
                }
                None => self.add(key.clone(), target, now, random()),
            }
            present.insert(key);
        }
        let gone: Vec<Key> = self
            .checked
            .keys()
            .filter(|key| !present.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            let checked = self.checked.remove(&key);
            if let Some((lane, at)) = checked.and_then(|c| Some((c.lane, c.next_at?))) {
                self.queue(lane).remove(&(at, key));
            }
        }
    }

    /// The next instance whose time has come and for which there is a place.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        let (at, lane) = self.first()?;
        if at > now {
            return None;
        }
        let (_, key) = self.queue(lane).pop_first()?;
        let checked = self.checked.get_mut(&key)?;
        checked.next_at = None;
        let (instance, entry) = (Arc::clone(&checked.instance), checked.entry);
        self.running.begin(lane);
        Some(Due {
            key,
            instance,
            entry,
            lane,
        })
    }

    /// When [`pop`](Self::pop) has something, unless a check ends before.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.first().map(|(at, _)| at)
    }

    /// Takes in a result; gives the verdict when it is another one. What was checked may be gone by now.
    pub(super) fn done(
        &mut self,
        due: Due,
        outcome: Outcome,
        now: Instant,
        random: f64,
    ) -> Option<Health> {
        self.running.end(due.lane);
        let checked = self.checked.get_mut(&due.key)?;
        if checked.entry != due.entry {
            return None;
        }
        let verdict = checked.tally.count(outcome, self.thresholds);
        checked.lane = match outcome {
            Outcome::Passed => Lane::Proven,
            Outcome::Failed | Outcome::Refused => Lane::Unproven,
            Outcome::Impeded => checked.lane,
        };
        let wait = self.pace.wait(checked, outcome, random);
        checked.next_at = Some(now + wait);
        let lane = checked.lane;
        self.queue(lane).insert((now + wait, due.key));
        verdict
    }

    /// The verdict on an instance that is listed.
    pub(super) fn health(&self, key: &Key) -> Option<Health> {
        self.checked.get(key).map(|checked| checked.tally.health())
    }

    fn add(&mut self, key: Key, target: Target, now: Instant, random: f64) {
        let interval = self.pace.interval;
        let (within, lane) = match target.health {
            Health::Healthy => (interval, Lane::Proven),
            // Unhealthy ones are asked at once: they may have come back with a new lease.
            Health::Unknown | Health::Unhealthy => {
                ((interval / 4).min(FIRST_WITHIN), Lane::Unproven)
            }
        };
        let mut next_at = now + within.mul_f64(random);
        let mut tally = Tally::new(target.health);
        // Registering again is no way to be asked less often, or to have failures forgotten.
        if let Some(before) = self.predecessor(&key, &target) {
            tally = before.tally;
            next_at = before.next_at.map_or(next_at, |at| at.min(next_at));
        }
        self.queue(lane).insert((next_at, key.clone()));
        self.entry += 1;
        let checked = Checked {
            instance: target.instance,
            entry: self.entry,
            tally,
            lane,
            is_idle: target.is_idle,
            next_at: Some(next_at),
        };
        self.checked.insert(key, checked);
    }

    /// The same instance at the same place, as it was registered before.
    fn predecessor(&self, key: &Key, target: &Target) -> Option<&Checked> {
        let of_token = |token| Key {
            token,
            ..key.clone()
        };
        let namesakes = self.checked.range(of_token(0)..=of_token(u64::MAX));
        namesakes.map(|(_, checked)| checked).find(|checked| {
            checked.instance.addr() == target.instance.addr()
                && checked.instance.health_check == target.instance.health_check
                && checked.tally.health() == target.health
        })
    }

    /// Checks it at `at`, unless it is its turn before or it is being checked.
    fn pull_forward(&mut self, key: &Key, at: Instant) {
        let Some(checked) = self.checked.get_mut(key) else {
            return;
        };
        if let Some(next_at) = checked.next_at.filter(|next_at| *next_at > at) {
            checked.next_at = Some(at);
            let lane = checked.lane;
            let queue = self.queue(lane);
            queue.remove(&(next_at, key.clone()));
            queue.insert((at, key.clone()));
        }
    }

    /// The first of those for whom there is a place.
    fn first(&self) -> Option<(Instant, Lane)> {
        let first = |lane| {
            let queue = match lane {
                Lane::Proven => &self.proven,
                Lane::Unproven => &self.unproven,
            };
            let has_room = self.running.has_room(lane);
            queue
                .first()
                .filter(|_| has_room)
                .map(|(at, _)| (*at, lane))
        };
        let both = [first(Lane::Proven), first(Lane::Unproven)];
        both.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    const fn queue(&mut self, lane: Lane) -> &mut BTreeSet<(Instant, Key)> {
        match lane {
            Lane::Proven => &mut self.proven,
            Lane::Unproven => &mut self.unproven,
        }
    }
}

impl Pace {
    fn wait(&self, checked: &Checked, outcome: Outcome, random: f64) -> Duration {
        let is_open = !checked.tally.is_settled() || outcome == Outcome::Impeded;
        let wait = match self.idle {
            _ if is_open => self.edge.min(self.interval),
            Some(idle) if checked.is_idle => idle,
            _ => self.interval,
        };
        // To both sides, so that checks that fell together drift apart and the average is what was set.
        wait.mul_f64(1.0 + self.jitter * (2.0 * random - 1.0))
    }
}

impl Running {
    const fn at_most(all_max: usize) -> Self {
        let reserved = if all_max < 4 {
            (all_max > 1) as usize
        } else {
            all_max / 4
        };
        Self {
            all: 0,
            all_max,
            unproven: 0,
            unproven_max: all_max - reserved,
        }
    }

    const fn has_room(&self, lane: Lane) -> bool {
        self.all < self.all_max
            && match lane {
                Lane::Proven => true,
                Lane::Unproven => self.unproven < self.unproven_max,
            }
    }

    const fn begin(&mut self, lane: Lane) {
        self.all += 1;
        if matches!(lane, Lane::Unproven) {
            self.unproven += 1;
        }
    }

    const fn end(&mut self, lane: Lane) {
        self.all -= 1;
        if matches!(lane, Lane::Unproven) {
            self.unproven -= 1;
        }
    }
}

/// A new instance is checked soon, however long the interval.
const FIRST_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
