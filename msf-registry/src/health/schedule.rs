//! When which instance is checked: a plain data structure that is told the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::tally::{Tally, Thresholds};
use crate::{
    backend::memory::Target,
    model::{Health, Instance},
};

/// One registration of one instance; a process that registers anew is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) service: ServiceName,
    pub(super) id: InstanceId,
    pub(super) token: u64,
}

#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    thresholds: Thresholds,
    checked: BTreeMap<Key, Checked>,
    /// Those that are not being checked now, by the time of their next check.
    queue: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Checked {
    instance: Arc<Instance>,
    tally: Tally,
    /// Absent while it is being checked.
    next_at: Option<Instant>,
}

impl Schedule {
    pub(super) const fn new(interval: Duration, thresholds: Thresholds) -> Self {
        Self {
            interval,
            thresholds,
            checked: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    /// Takes in who is registered now. `jitter` spreads the first checks over an interval.
    pub(super) fn sync(
        &mut self,
        targets: Vec<Target>,
        now: Instant,
        mut jitter: impl FnMut() -> f64,
    ) {
        let mut present = BTreeSet::new();
        for target in targets {
            if target.instance.health_check.is_none() {
                continue;
            }
            let key = Key {
                service: target.instance.service.clone(),
                id: target.instance.id.clone(),
                token: target.token,
            };
            if !self.checked.contains_key(&key) {
                // Unhealthy ones are asked at once: they may have come back with a new lease.
                let wait = match target.health {
                    Health::Healthy => self.interval.mul_f64(jitter()),
                    Health::Unknown | Health::Unhealthy => {
                        (self.interval / 4).min(FIRST_WITHIN).mul_f64(jitter())
                    }
                };
                self.queue.insert((now + wait, key.clone()));
                let checked = Checked {
                    instance: target.instance,
                    tally: Tally::new(target.health),
                    next_at: Some(now + wait),
                };
                self.checked.insert(key.clone(), checked);
            }
            present.insert(key);
        }
        let queue = &mut self.queue;
        self.checked.retain(|key, checked| {
            let is_present = present.contains(key);
            if !is_present && let Some(next_at) = checked.next_at {
                queue.remove(&(next_at, key.clone()));
            }
            is_present
        });
    }

    /// The next instance whose time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Key, Arc<Instance>)> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        let checked = self.checked.get_mut(&key)?;
        checked.next_at = None;
        Some((key, Arc::clone(&checked.instance)))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes in a result; gives the verdict when it is another one. What was checked may be gone by now.
    pub(super) fn done(
        &mut self,
        key: &Key,
        passed: bool,
        now: Instant,
        jitter: f64,
    ) -> Option<Health> {
        let checked = self.checked.get_mut(key)?;
        // 10 % to either side, so that checks that fell together drift apart.
        let next_at = now + self.interval.mul_f64(0.9 + 0.2 * jitter);
        checked.next_at = Some(next_at);
        self.queue.insert((next_at, key.clone()));
        checked.tally.count(passed, self.thresholds)
    }
}

/// A new instance is checked soon, however long the interval.
const FIRST_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use msf_core::clock;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(2);
    const THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 2 };

    fn target(id: &str, token: u64, path: Option<&str>) -> Target {
        let service = ServiceName::new("payment").unwrap();
        let id = InstanceId::new(id).unwrap();
        let mut instance = Instance::new(service, id, ([127, 0, 0, 1], 80).into());
        instance.health_check = path.map(|path| path.parse().unwrap());
        Target {
            instance: Arc::new(instance),
            token,
            health: Health::Unknown,
        }
    }

    fn due(schedule: &mut Schedule, now: Instant) -> Vec<Key> {
        std::iter::from_fn(|| schedule.pop(now).map(|(key, _)| key)).collect()
    }

    #[test]
    fn each_is_checked_once_per_interval() {
        let (mut schedule, start) = (Schedule::new(INTERVAL, THRESHOLDS), clock::now());
        let targets = || vec![target("a", 1, Some("/")), target("b", 2, Some("/"))];
        schedule.sync(targets(), start, || 0.0);
        let keys = due(&mut schedule, start);
        assert_eq!(keys.len(), 2);
        assert_eq!(
            due(&mut schedule, start + INTERVAL * 9),
            [],
            "it is being checked"
        );
        for key in &keys {
            schedule.done(key, true, start, 0.5);
        }
        schedule.sync(targets(), start, || 0.0);
        assert_eq!(due(&mut schedule, start + INTERVAL / 2), []);
        assert_eq!(due(&mut schedule, start + INTERVAL).len(), 2);
    }

    #[test]
    fn without_a_health_path_nobody_asks() {
        let (mut schedule, start) = (Schedule::new(INTERVAL, THRESHOLDS), clock::now());
        schedule.sync(vec![target("a", 1, None)], start, || 0.0);
        assert_eq!(due(&mut schedule, start + INTERVAL), []);
    }

    #[test]
    fn whoever_left_is_forgotten_even_while_being_checked() {
        let (mut schedule, start) = (Schedule::new(INTERVAL, THRESHOLDS), clock::now());
        schedule.sync(
            vec![target("a", 1, Some("/")), target("b", 2, Some("/"))],
            start,
            || 0.0,
        );
        let keys = due(&mut schedule, start);
        schedule.sync(Vec::new(), start, || 0.0);
        for key in &keys {
            assert_eq!(schedule.done(key, false, start, 0.5), None);
            assert_eq!(schedule.done(key, false, start, 0.5), None);
        }
        assert_eq!(schedule.next_at(), None);
    }

    #[test]
    fn a_new_registration_starts_a_new_tally() {
        let (mut schedule, start) = (Schedule::new(INTERVAL, THRESHOLDS), clock::now());
        schedule.sync(vec![target("a", 1, Some("/"))], start, || 0.0);
        let old = due(&mut schedule, start).remove(0);
        assert_eq!(schedule.done(&old, false, start, 0.5), None);
        schedule.sync(vec![target("a", 2, Some("/"))], start, || 0.0);
        let new = due(&mut schedule, start).remove(0);
        assert_ne!(old, new);
        assert_eq!(
            schedule.done(&new, false, start, 0.5),
            None,
            "one failure of two"
        );
        assert_eq!(
            schedule.done(&new, false, start, 0.5),
            Some(Health::Unhealthy)
        );
    }
}
