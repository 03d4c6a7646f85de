//! When which instance is checked: a plain data structure that is told the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
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
        let present: BTreeSet<Key> = targets.iter().map(Target::key).collect();
        let left = self.checked.keys().filter(|key| !present.contains(*key));
        let left: Vec<Key> = left.cloned().collect();
        let mut left: BTreeMap<Key, Checked> = left
            .into_iter()
            .filter_map(|key| self.checked.remove_entry(&key))
            .collect();
        for (key, checked) in &left {
            if let Some(at) = checked.next_at {
                self.queue(checked.lane).remove(&(at, key.clone()));
            }
        }
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
                None => self.add(key, target, &mut left, now, random()),
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

    /// Whose a result is now: that of the instance that was checked, or of the same one that has registered again
    /// since. None if it is gone.
    pub(super) fn holder(&self, due: &Due) -> Option<Key> {
        let is_same = |checked: &Checked| checked.entry == due.entry;
        if self.checked.get(&due.key).is_some_and(is_same) {
            return Some(due.key.clone());
        }
        let mut namesakes = self.checked.range(due.key.namesakes());
        let found = namesakes.find(|(_, checked)| is_same(checked));
        found.map(|(key, _)| key.clone())
    }

    /// Takes in a result; gives the verdict when it is another one. What was checked may be gone by now.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is handed back, so that its place is given back once"
    )]
    pub(super) fn done(
        &mut self,
        due: Due,
        outcome: Outcome,
        now: Instant,
        random: f64,
    ) -> Option<Health> {
        self.running.end(due.lane);
        let key = self.holder(&due)?;
        let checked = self.checked.get_mut(&key)?;
        let verdict = checked.tally.count(outcome, self.thresholds);
        checked.lane = match outcome {
            Outcome::Passed => Lane::Proven,
            Outcome::Failed | Outcome::Refused => Lane::Unproven,
            Outcome::Impeded => checked.lane,
        };
        let wait = self.pace.wait(checked, outcome, random);
        checked.next_at = Some(now + wait);
        let lane = checked.lane;
        self.queue(lane).insert((now + wait, key));
        verdict
    }

    /// The verdict on an instance that is listed.
    pub(super) fn health(&self, key: &Key) -> Option<Health> {
        self.checked.get(key).map(|checked| checked.tally.health())
    }

    fn add(
        &mut self,
        key: Key,
        target: Target,
        left: &mut BTreeMap<Key, Checked>,
        now: Instant,
        random: f64,
    ) {
        let interval = self.pace.interval;
        let (within, lane) = match target.health {
            Health::Healthy => (interval, Lane::Proven),
            // Unhealthy ones are asked at once: they may have come back with a new lease.
            Health::Unknown | Health::Unhealthy => {
                ((interval / 4).min(FIRST_WITHIN), Lane::Unproven)
            }
        };
        let first_at = now + within.mul_f64(random);
        self.entry += 1;
        let mut checked = Checked {
            tally: Tally::new(target.health),
            instance: target.instance,
            entry: self.entry,
            lane,
            is_idle: target.is_idle,
            next_at: Some(first_at),
        };
        // Registering again is no way to be asked less often or twice at once, or to have failures forgotten.
        if let Some(before) = checked.take_predecessor(&key, left) {
            checked.tally = before.tally;
            checked.next_at = before.next_at.map(|at| at.min(first_at));
            if checked.next_at.is_none() {
                // Its result is still to come.
                checked.entry = before.entry;
            }
        }
        if let Some(at) = checked.next_at {
            self.queue(lane).insert((at, key.clone()));
        }
        self.checked.insert(key, checked);
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

impl Key {
    /// All registrations of its id.
    fn namesakes(&self) -> RangeInclusive<Self> {
        let of_token = |token| Self {
            token,
            ..self.clone()
        };
        of_token(0)..=of_token(u64::MAX)
    }
}

impl Checked {
    /// The same instance at the same place, as it was registered before.
    fn take_predecessor(&self, key: &Key, left: &mut BTreeMap<Key, Self>) -> Option<Self> {
        let is_same = |before: &Self| {
            before.instance.addr() == self.instance.addr()
                && before.instance.health_check == self.instance.health_check
                && before.tally.health() == self.tally.health()
        };
        let mut namesakes = left.range(key.namesakes());
        let found = namesakes.find(|(_, before)| is_same(before));
        let found = found.map(|(key, _)| key.clone())?;
        left.remove(&found)
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
