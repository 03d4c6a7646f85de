//! All registrations of one registry, and what is due of them: a plain state machine that is told the time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use msf_core::name::{InstanceId, ServiceName};
use tokio::time::Instant;

use super::entry::{Entry, Need, Stage};
use crate::{
    error::RegistryError,
    model::{Instance, Lease, Renewal},
};

/// Which registration; numbers are not used twice.
pub(super) type Number = u64;

/// The registrations by number, and the order in which they are due.
#[derive(Debug)]
pub(super) struct Ledger {
    ttl: Duration,
    entries: BTreeMap<Number, Entry>,
    /// Who is due when; who has a call under way is not in it.
    due: BTreeSet<(Instant, Number)>,
    /// Who was registered under an id and has not begun to end.
    living: HashMap<(ServiceName, InstanceId), Number>,
    next_number: Number,
    rng: fastrand::Rng,
}

/// A question to the registry.
#[derive(Debug)]
pub(super) enum Call {
    Put(Number, Put),
    Renew(Vec<(Number, Lease)>),
    Remove {
        number: Number,
        lease: Lease,
        end_by: Instant,
    },
}

/// An instance as of one of its changes.
#[derive(Clone, Debug)]
pub(super) struct Put {
    pub(super) instance: Arc<Instance>,
    pub(super) change: u64,
}

/// What came of a [`Call::Put`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    NotNow,
    /// Never, as of that change; whether it is the first time in a row.
    Never {
        is_first: bool,
    },
}

/// This process has registered the id already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate;

impl Ledger {
    pub(super) fn new(ttl: Duration, seed: u64) -> Self {
        Self {
            ttl,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            living: HashMap::new(),
            next_number: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds an instance that is to be registered.
    pub(super) fn add(&mut self, instance: Instance, now: Instant) -> Result<Number, Duplicate> {
        let identity = (instance.service.clone(), instance.id.clone());
        if self.living.contains_key(&identity) {
            return Err(Duplicate);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.living.insert(identity, number);
        let mut entry = Entry::new(Arc::new(instance), self.ttl, now, self.rng.u64(..));
        // It is ending, or the id would not be free. The last of several waits for those before it.
        let is_before = |before: &Entry| {
            (&before.wanted.service, &before.wanted.id) == (&entry.wanted.service, &entry.wanted.id)
        };
        entry.waits_for = self
            .entries
            .iter()
            .rfind(|(_, before)| is_before(before))
            .map(|(number, _)| *number);
        self.entries.insert(number, entry);
        self.queue(number);
        Ok(number)
    }

    pub(super) fn living(&self, service: &ServiceName, id: &InstanceId) -> Option<Number> {
        self.living.get(&(service.clone(), id.clone())).copied()
    }

    /// What a registration wants to be; `None` when it is over.
    pub(super) fn wanted(&self, number: Number) -> Option<&Arc<Instance>> {
        self.entries.get(&number).map(|entry| &entry.wanted)
    }

    pub(super) fn stage(&self, number: Number, now: Instant) -> Stage {
        self.entries
            .get(&number)
            .map_or(Stage::Ended, |entry| entry.stage(now))
    }

    /// Changes an instance; which change that is, and whether the registry holds it already. `None` when the
    /// registration ends.
    pub(super) fn change(
        &mut self,
        number: Number,
        instance: Instance,
        now: Instant,
    ) -> Option<(u64, bool)> {
        let entry = self.entries.get_mut(&number).filter(|e| !e.is_ending())?;
        let before = entry.next();
        let change = entry.change_to(Arc::new(instance), now);
        let answer = (change, entry.has_taken(change));
        self.requeue(number, before);
        Some(answer)
    }

    /// Begins the end of a registration, which frees its id; whether it has not ended before.
    pub(super) fn end(&mut self, number: Number, now: Instant, within: Duration) -> bool {
        let Some(entry) = self.entries.get_mut(&number) else {
            return false;
        };
        if entry.is_ending() {
            return true;
        }
        let identity = (entry.wanted.service.clone(), entry.wanted.id.clone());
        let before = entry.next();
        entry.end(now, now.checked_add(within).unwrap_or(now + self.ttl));
        self.living.remove(&identity);
        self.requeue(number, before);
        self.sweep(number);
        true
    }

    /// Whether a registration has ended and nothing of it is left.
    pub(super) fn is_over(&self, number: Number) -> bool {
        !self.entries.contains_key(&number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When somebody is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next question that is due. Whoever it is about is not due again before it was answered.
    pub(super) fn call(&mut self, now: Instant) -> Option<Call> {
        let (_, number) = *self.due.first().filter(|(at, _)| *at <= now)?;
        let entry = self.entries.get_mut(&number)?;
        let (_, need) = entry.next()?;
        if need == Need::Renew {
            return Some(Call::Renew(self.renewals(now)));
        }
        self.due.pop_first();
        entry.is_busy = true;
        Some(match (need, entry.lease().cloned()) {
            (Need::Remove, Some(lease)) => Call::Remove {
                number,
                lease,
                end_by: entry.end_by().unwrap_or(now),
            },
            _ => Call::Put(number, entry.as_wanted()),
        })
    }

    /// The renewals that are due, and those that are nearly.
    fn renewals(&mut self, now: Instant) -> Vec<(Number, Lease)> {
        let mut batch = Vec::new();
        for (at, number) in self.due.range(..=(now + early(self.ttl), Number::MAX)) {
            let Some(entry) = self.entries.get_mut(number) else {
                continue;
            };
            let is_due = |ttl: Duration| *at <= now + early(ttl.min(self.ttl));
            if let (Some((_, Need::Renew)), Some(lease)) = (entry.next(), entry.lease().cloned())
                && entry.ttl().is_some_and(is_due)
            {
                entry.is_busy = true;
                batch.push((*number, lease));
                if batch.len() == BATCH_MAX {
                    break;
                }
            }
        }
        self.due
            .retain(|(_, number)| !self.entries.get(number).is_some_and(|entry| entry.is_busy));
        batch
    }

    /// What the registry said to a [`Call::Put`].
    pub(super) fn put(
        &mut self,
        number: Number,
        put: &Put,
        answer: Result<Lease, &RegistryError>,
        now: Instant,
    ) -> Taken {
        let jitter = self.jitter();
        let asked = self.ttl;
        let Some(entry) = self.entries.get_mut(&number) else {
            return Taken::NotNow;
        };
        entry.is_busy = false;
        let taken = match answer {
            Ok(lease) => {
                let ttl = granted(lease.ttl(), asked);
                let renew_at = now + ttl.mul_f64(jitter);
                entry.listed(put, (lease, ttl), now, renew_at);
                Taken::Yes
            }
            Err(error) if error.is_permanent() => Taken::Never {
                is_first: entry.refused(put, now),
            },
            Err(_) => {
                entry.not_listed(now);
                Taken::NotNow
            }
        };
        self.settle(number);
        taken
    }

    /// What the registry said to a [`Call::Renew`]; whose lease is gone.
    pub(super) fn renewed(
        &mut self,
        numbers: &[Number],
        answers: &[Renewal],
        now: Instant,
    ) -> Vec<Number> {
        // One draw for all of them, so that they stay together.
        let jitter = self.jitter();
        let gone = answers.iter().filter(|a| matches!(a, Renewal::Gone));
        let spread = spread(gone.count(), self.ttl);
        let mut lost = Vec::new();
        for (index, number) in numbers.iter().enumerate() {
            let put_at = now + spread.mul_f64(self.rng.f64());
            let Some(entry) = self.entries.get_mut(number) else {
                continue;
            };
            entry.is_busy = false;
            match answers.get(index) {
                Some(Renewal::Renewed { ttl }) => {
                    let ttl = granted(*ttl, self.ttl);
                    entry.renewed(ttl, now, now + ttl.mul_f64(jitter));
                }
                Some(Renewal::Gone) => {
                    entry.gone(put_at);
                    lost.push(*number);
                }
                None => entry.not_renewed(now),
            }
            self.settle(*number);
        }
        lost
    }

    /// What the registry said to a [`Call::Remove`]; whether it is tried again.
    pub(super) fn removed(&mut self, number: Number, is_done: bool, now: Instant) -> bool {
        // Whoever waits for the id takes its place in the registry, which ends it as well.
        let is_followed = self.followers(number).next().is_some();
        let Some(entry) = self.entries.get_mut(&number) else {
            return false;
        };
        entry.is_busy = false;
        let is_again = !is_done && !is_followed && entry.not_removed(now);
        if !is_again {
            entry.removed();
        }
        self.settle(number);
        is_again
    }

    /// Nobody will tell what came of the calls that are under way.
    pub(super) fn interrupted(&mut self, now: Instant) {
        let busy: Vec<Number> = self
            .entries
            .iter_mut()
            .filter(|(_, entry)| entry.is_busy)
            .map(|(number, entry)| {
                entry.interrupted(now);
                *number
            })
            .collect();
        for number in busy {
            self.settle(number);
        }
    }

    /// Forgets those that end; who they are.
    pub(super) fn abandon_ending(&mut self) -> Vec<Number> {
        let ending = self.entries.iter().filter(|(_, entry)| entry.is_ending());
        let numbers: Vec<Number> = ending.map(|(number, _)| *number).collect();
        for number in &numbers {
            self.entries.remove(number);
            self.release(*number);
        }
        self.due.retain(|(_, number)| !numbers.contains(number));
        numbers
    }

    /// After an answer: due again, or over.
    fn settle(&mut self, number: Number) {
        self.queue(number);
        self.sweep(number);
    }

    /// Lets those go on that wait for this one, which is over.
    fn release(&mut self, number: Number) {
        for waiting in self.followers(number).collect::<Vec<_>>() {
            if let Some(entry) = self.entries.get_mut(&waiting) {
                entry.waits_for = None;
            }
            self.queue(waiting);
        }
    }

    fn followers(&self, of: Number) -> impl Iterator<Item = Number> {
        let waiting = self.entries.iter();
        waiting.filter_map(move |(number, entry)| (entry.waits_for == Some(of)).then_some(*number))
    }

    fn sweep(&mut self, number: Number) {
        if self.entries.get(&number).is_some_and(Entry::is_over) {
            self.entries.remove(&number);
            self.release(number);
        }
    }

    fn queue(&mut self, number: Number) {
        let entry = self.entries.get(&number).filter(|entry| !entry.is_busy);
        if let Some((at, _)) = entry.and_then(Entry::next) {
            self.due.insert((at, number));
        }
    }

    fn requeue(&mut self, number: Number, before: Option<(Instant, Need)>) {
        if let Some((at, _)) = before {
            self.due.remove(&(at, number));
        }
        self.queue(number);
    }

    /// A third of the time to live, give or take 10 %: processes that were started together must not renew together.
    fn jitter(&mut self) -> f64 {
        (0.9 + 0.2 * self.rng.f64()) / 3.0
    }
}

/// A registry may grant less than was asked for. What is not a time to live must neither keep the driver busy nor
/// end its renewals.
fn granted(ttl: Duration, asked: Duration) -> Duration {
    ttl.clamp(TTL_MIN, asked.max(TTL_MIN))
}

/// How much earlier than planned a renewal goes along with one that is due.
fn early(ttl: Duration) -> Duration {
    ttl / 30
}

/// Over which time instances that a registry has forgotten register again: at once is a storm when there are many.
fn spread(count: usize, ttl: Duration) -> Duration {
    let many = u32::try_from(count).unwrap_or(u32::MAX);
    PUT_EVERY.saturating_mul(many).max(SPREAD_MIN).min(ttl / 4)
}

const TTL_MIN: Duration = Duration::from_millis(100);
const PUT_EVERY: Duration = Duration::from_millis(10);
const SPREAD_MIN: Duration = Duration::from_millis(100);
/// A request of this many leases is some tens of kilobytes.
const BATCH_MAX: usize = 256;
