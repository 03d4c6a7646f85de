//! The breaker's rules once more, as plainly as possible: a list of calls, and no thought for speed.

use super::super::{machine::Outcome, settings::Settings, state::State};

#[derive(Debug)]
pub(super) struct Model {
    settings: Settings,
    state: State,
    /// Of the closed state: when each call ended, and how.
    ended: Vec<(u64, Outcome)>,
    until: u64,
    probes: Vec<Probe>,
    cancelled: u32,
    openings: u32,
    not_before: u64,
    /// Goes up with every change of state.
    era: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Probe {
    Running,
    Passed,
    Failed,
}

/// A call that the model let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    era: u64,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Closed,
            ended: Vec::new(),
            until: 0,
            probes: Vec::new(),
            cancelled: 0,
            openings: 0,
            not_before: 0,
            era: 0,
        }
    }

    pub(super) fn state(&mut self, now: u64) -> State {
        self.end_half_open(now);
        self.state
    }

    /// A ticket, or how long to wait.
    pub(super) fn admit(&mut self, now: u64) -> Result<Ticket, u64> {
        self.end_half_open(now);
        if self.state == State::Open {
            if now < self.until {
                return Err(self.until - now);
            }
            self.change(State::HalfOpen, now + self.settings.half_open_max_wait_ns);
        }
        if self.state == State::HalfOpen {
            if self.probes.len() == self.settings.half_open_permits as usize {
                return Err((self.until - now).min(self.settings.open_for_ns));
            }
            self.probes.push(Probe::Running);
        }
        Ok(Ticket { era: self.era })
    }

    pub(super) fn complete(&mut self, ticket: Ticket, outcome: Outcome, now: u64) {
        if ticket.era != self.era {
            return;
        }
        if let Outcome::Failure {
            not_before: Some(at),
        } = outcome
        {
            self.not_before = self.not_before.max(at);
        }
        match self.state {
            State::Closed => self.count(outcome, now),
            State::HalfOpen => self.judge(outcome, now),
            State::Open => unreachable!("nothing is let in while open"),
        }
    }

    fn count(&mut self, outcome: Outcome, now: u64) {
        if outcome == Outcome::Ignored {
            return;
        }
        self.ended.push((now, outcome));
        let bucket = |at: u64| at / self.settings.bucket_ns;
        let recent = self
            .ended
            .iter()
            .filter(|(at, _)| bucket(*at) + 10 > bucket(now));
        let (mut succeeded, mut failed, mut cancelled) = (0, 0, 0);
        for (_, outcome) in recent {
            match outcome {
                Outcome::Success => succeeded += 1,
                Outcome::Failure { .. } => failed += 1,
                Outcome::Cancelled => cancelled += 1,
                Outcome::Ignored => {}
            }
        }
        let total = succeeded + failed;
        let is_failing = outcome != Outcome::Cancelled
            && failed > 0
            && total >= self.settings.min_calls
            && self.is_too_many(failed, total);
        let is_given_up =
            outcome == Outcome::Cancelled && total == 0 && cancelled >= self.settings.min_calls;
        if is_failing || is_given_up {
            self.open(now);
        }
    }

    fn judge(&mut self, outcome: Outcome, now: u64) {
        let place = self
            .probes
            .iter()
            .position(|probe| *probe == Probe::Running);
        let place = place.expect("a probe is running");
        match outcome {
            Outcome::Success => self.probes[place] = Probe::Passed,
            Outcome::Failure { .. } => self.probes[place] = Probe::Failed,
            Outcome::Ignored => drop(self.probes.remove(place)),
            Outcome::Cancelled => {
                self.probes.remove(place);
                self.cancelled += 1;
            }
        }
        let permits = u64::from(self.settings.half_open_permits);
        let count = |kind| self.probes.iter().filter(|probe| **probe == kind).count() as u64;
        let (passed, failed) = (count(Probe::Passed), count(Probe::Failed));
        if self.is_too_many(failed, permits) {
            self.open(now);
        } else if !self.is_too_many(permits - passed, permits) {
            self.close();
        }
    }

    fn end_half_open(&mut self, now: u64) {
        if self.state != State::HalfOpen || now < self.until {
            return;
        }
        let total = self.probes.len() as u64;
        let passed = self.probes.iter().filter(|probe| **probe == Probe::Passed);
        let missed = total - passed.count() as u64;
        if total > 0 && !self.is_too_many(missed, total) {
            self.close();
        } else if total > 0 || self.cancelled >= self.settings.half_open_permits {
            self.open(now);
        } else {
            self.until = now + self.settings.half_open_max_wait_ns;
            self.cancelled = 0;
        }
    }

    fn is_too_many(&self, failed: u64, total: u64) -> bool {
        failed * 10_000 >= self.settings.failure_rate * total
    }

    fn open(&mut self, now: u64) {
        let mut wait = self.settings.open_for_ns;
        for _ in 0..self.openings {
            wait = (wait * 2).min(self.settings.open_max_ns);
        }
        let asked = self.not_before.saturating_sub(now);
        let wait = wait.max(asked.min(self.settings.open_max_ns));
        self.openings += 1;
        self.not_before = 0;
        self.change(State::Open, now + wait);
    }

    fn close(&mut self) {
        self.openings = 0;
        self.not_before = 0;
        self.change(State::Closed, 0);
    }

    fn change(&mut self, state: State, until: u64) {
        self.state = state;
        self.until = until;
        self.era += 1;
        self.ended.clear();
        self.probes.clear();
        self.cancelled = 0;
    }
}
