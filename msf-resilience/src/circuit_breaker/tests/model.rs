//! The breaker's rules once more, as plainly as possible: a list of calls, and no thought for speed.

use super::super::{
    machine::Outcome,
    settings::{Cancel, Length, Settings},
    state::State,
};

#[derive(Debug)]
pub(super) struct Model {
    settings: Settings,
    state: State,
    /// Of the closed state: when each call ended, how, and whether it was slow.
    ended: Vec<(u64, Outcome, bool)>,
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

    /// Other numbers, with a window of the same length.
    pub(super) fn set(&mut self, settings: Settings) {
        self.settings = settings;
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
            if self.probes.len() >= self.settings.half_open_permits as usize {
                return Err((self.until - now).min(self.settings.open_for_ns));
            }
            self.probes.push(Probe::Running);
        }
        Ok(Ticket { era: self.era })
    }

    pub(super) fn complete(&mut self, ticket: Ticket, outcome: Outcome, is_slow: bool, now: u64) {
        if ticket.era != self.era {
            return;
        }
        let counts_cancelled = self.settings.counts_cancelled_slow && self.settings.slow_rate > 0;
        let is_slow = is_slow && (outcome != Outcome::Cancelled || counts_cancelled);
        let outcome = match (outcome, self.settings.cancel) {
            (Outcome::Cancelled, Cancel::Failure) => Outcome::Failure { not_before: None },
            (Outcome::Cancelled, _) if is_slow => Outcome::Success,
            (Outcome::Cancelled, Cancel::Ignore) => Outcome::Ignored,
            _ => outcome,
        };
        if let Outcome::Failure {
            not_before: Some(at),
        } = outcome
        {
            self.not_before = self.not_before.max(at);
        }
        match self.state {
            State::Closed => self.count(outcome, is_slow, now),
            State::HalfOpen if is_slow && outcome == Outcome::Success => {
                self.judge(Outcome::Failure { not_before: None }, now);
            }
            State::HalfOpen => self.judge(outcome, now),
            _ => unreachable!("nothing is let in while open"),
        }
    }

    fn count(&mut self, outcome: Outcome, is_slow: bool, now: u64) {
        if outcome == Outcome::Ignored {
            return;
        }
        self.ended.push((now, outcome, is_slow));
        let has_rates = self.settings.failure_rate > 0 || self.settings.slow_rate > 0;
        let is_out = if outcome == Outcome::Cancelled {
            if has_rates {
                self.is_given_up(now)
            } else {
                self.cancelled_in_a_row() >= self.settings.consecutive
            }
        } else {
            self.has_run() || has_rates && self.is_failing(now)
        };
        if is_out {
            self.open(now);
        }
    }

    fn recent(&self, now: u64) -> Vec<(Outcome, bool)> {
        let calls = self.ended.iter().rev().copied();
        match self.settings.window {
            Length::Time { bucket_ns } => calls
                .filter(|(at, ..)| at / bucket_ns + 10 > now / bucket_ns)
                .map(|(_, outcome, is_slow)| (outcome, is_slow))
                .collect(),
            Length::Calls(number) => calls
                .map(|(_, outcome, is_slow)| (outcome, is_slow))
                .take(usize::try_from(number).expect("a small window"))
                .collect(),
        }
    }

    fn is_failing(&self, now: u64) -> bool {
        let recent = self.recent(now);
        let judged = recent
            .iter()
            .filter(|(outcome, _)| *outcome != Outcome::Cancelled);
        let total = judged.clone().count() as u64;
        let failed = judged
            .clone()
            .filter(|(outcome, _)| *outcome != Outcome::Success);
        let failed = failed.count() as u64;
        let slow = judged.filter(|(_, is_slow)| *is_slow).count() as u64;
        let reaches = |part, rate| part > 0 && rate > 0 && part * 10_000 >= rate * total;
        total >= self.settings.min_calls
            && (reaches(failed, self.settings.failure_rate)
                || reaches(slow, self.settings.slow_rate))
    }

    fn is_given_up(&self, now: u64) -> bool {
        let Cancel::Share(share) = self.settings.cancel else {
            return false;
        };
        let recent = self.recent(now);
        let cancelled = recent
            .iter()
            .filter(|(outcome, _)| *outcome == Outcome::Cancelled);
        recent.len() as u64 >= self.settings.min_calls
            && cancelled.count() as u64 * 10_000 >= share * recent.len() as u64
    }

    fn has_run(&self) -> bool {
        let ended = self.ended.iter().rev();
        let judged = ended.filter(|(_, outcome, _)| *outcome != Outcome::Cancelled);
        let run = judged.take_while(|(_, outcome, _)| *outcome != Outcome::Success);
        self.settings.consecutive > 0 && run.count() as u64 >= self.settings.consecutive
    }

    fn cancelled_in_a_row(&self) -> u64 {
        let ended = self.ended.iter().rev();
        ended
            .take_while(|(_, outcome, _)| *outcome == Outcome::Cancelled)
            .count() as u64
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
        } else if !self.is_too_many(permits.saturating_sub(passed), permits) {
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
        let rate = match self.settings.failure_rate {
            0 => 5_000,
            rate => rate,
        };
        failed * 10_000 >= rate * total
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
