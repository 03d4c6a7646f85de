//! Runs the checks.

use std::{collections::HashMap, time::Duration};

use msf_core::{clock, metrics::CounterFamily};
use tokio::{
    task::{Id, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    schedule::{Due, Schedule},
    tally::Outcome,
    target::{Targets, Verdict},
    way::{Checked, Ways},
};
use crate::model::Health;

pub(super) struct Run<T> {
    pub(super) ways: Ways,
    pub(super) fail_fast: bool,
    pub(super) concurrency: usize,
    pub(super) results: Option<CounterFamily<3>>,
    pub(super) sync_every: Duration,
    pub(super) schedule: Schedule,
    pub(super) found: Found<T>,
    /// When a check could not be made last.
    pub(super) impeded_at: Option<Instant>,
}

/// What was found and is to be told: a little later, all together, since each telling makes a new list of
/// the service's instances.
pub(super) struct Found<T> {
    targets: T,
    verdicts: Vec<Verdict>,
    tell_at: Option<Instant>,
}

impl<T: Targets> Run<T> {
    pub(super) async fn run(mut self) {
        // Owned by this task: they end with it.
        let mut checks: JoinSet<(&'static str, Checked)> = JoinSet::new();
        let mut running: HashMap<Id, Due> = HashMap::new();
        let mut sync_at = clock::now();
        loop {
            let now = clock::now();
            if now >= sync_at {
                self.sync(now);
                sync_at = now + self.sync_every;
            }
            self.found.tell_due(now);
            while checks.len() < self.concurrency
                && let Some(due) = self.schedule.pop(now)
            {
                let check = self.ways.check(&due.instance);
                running.insert(checks.spawn(check).id(), due);
            }
            let next_at = [self.schedule.next_at(), self.found.tell_at];
            let next_at = next_at.into_iter().flatten().fold(sync_at, Instant::min);
            tokio::select! {
                Some(checked) = checks.join_next_with_id() => {
                    // A probe that panics has not shown that the instance works.
                    let (id, (kind, checked)) = checked
                        .unwrap_or_else(|panic| (panic.id(), ("custom", Checked::Panicked)));
                    if let Some(due) = running.remove(&id) {
                        self.note(due, kind, &checked);
                    }
                }
                () = sleep_until(next_at) => {}
            }
        }
    }

    fn sync(&mut self, now: Instant) {
        let mut targets = self.found.targets.list(now);
        targets.retain(|target| self.ways.apply_to(&target.instance));
        self.schedule.sync(targets, now, fastrand::f64);
    }

    fn note(&mut self, due: Due, kind: &'static str, checked: &Checked) {
        // Who has registered again meanwhile is told under its new lease.
        let holder = self.schedule.holder(&due);
        let (key, addr) = (
            holder.unwrap_or_else(|| due.key.clone()),
            due.instance.addr(),
        );
        if let Some(results) = &self.results {
            results
                .with([key.service.as_str(), kind, checked.as_str()])
                .inc();
        }
        let outcome = match checked {
            Checked::Passed => Outcome::Passed,
            // It stays out of reach however often it is looked at.
            Checked::OutOfReach(_) => Outcome::Refused,
            Checked::Failed(failed) if failed.is_refusal() && self.fail_fast => Outcome::Refused,
            Checked::Failed(_) | Checked::TimedOut(_) | Checked::Panicked => Outcome::Failed,
            Checked::Impeded(_) => Outcome::Impeded,
        };
        let now = clock::now();
        if let Checked::Impeded(_) = checked {
            self.tell_impeded(checked, now);
        }
        let verdict = self.schedule.done(due, outcome, now, fastrand::f64());
        let (service, instance) = (&key.service, &key.id);
        match verdict {
            Some(Health::Unhealthy) => {
                let cause = checked.cause();
                tracing::warn!(%service, %instance, %addr, kind, cause, "instance is unhealthy");
            }
            Some(_) => tracing::info!(%service, %instance, %addr, kind, "instance is healthy"),
            None => {}
        }
        // What agrees with the verdict is told again: whoever keeps it may have forgotten it meanwhile.
        let health = match (self.schedule.health(&key), outcome) {
            (Some(Health::Healthy), Outcome::Passed) => Health::Healthy,
            (Some(Health::Unhealthy), Outcome::Failed | Outcome::Refused) => Health::Unhealthy,
            _ => return,
        };
        let is_new = verdict.is_some();
        self.found.add(
            Verdict {
                key,
                addr,
                health,
                is_new,
            },
            now,
        );
    }
}

impl<T> Run<T> {
    /// Says it once for each time of trouble, in which other checks may well succeed.
    fn tell_impeded(&mut self, checked: &Checked, now: Instant) {
        let before = self.impeded_at.replace(now);
        if before.is_none_or(|before| now - before >= TROUBLE_ENDS) {
            let cause = checked.cause();
            tracing::error!(
                cause,
                "health checks cannot be made; what was found before still counts"
            );
        }
    }
}

impl<T: Targets> Found<T> {
    pub(super) const fn new(targets: T) -> Self {
        Self {
            targets,
            verdicts: Vec::new(),
            tell_at: None,
        }
    }

    fn add(&mut self, verdict: Verdict, now: Instant) {
        self.verdicts.push(verdict);
        self.tell_at.get_or_insert(now + TELL_WITHIN);
    }

    fn tell_due(&mut self, now: Instant) {
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_at = None;
            self.targets.tell(std::mem::take(&mut self.verdicts));
        }
    }
}

const TELL_WITHIN: Duration = Duration::from_millis(20);
/// So long without a check that could not be made.
const TROUBLE_ENDS: Duration = Duration::from_secs(60);
