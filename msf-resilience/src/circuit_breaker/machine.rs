//! The state machine: what happens at a transition and in the half-open state.
//!
//! It knows no clock and no lock; `now` is nanoseconds since the breaker was made. Counting in the
//! closed state is the work of [`Window`](super::window::Window), [`Ring`](super::ring::Ring) and [`Runs`](super::runs::Runs).

use super::{
    cause::Cause,
    settings::{PARTS, Settings},
    state::State,
};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure {
        /// Since when the callee takes calls again, if it said so.
        not_before: Option<u64>,
    },
    Ignored,
    Cancelled,
}

/// What a call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted { generation: u64 },
    Rejected { cause: Cause, wait_ns: u64 },
}

/// A change of state, to be told to the log and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: State,
    pub(super) to: State,
    /// The open wait, if the new state is [`State::Open`].
    pub(super) wait_ns: u64,
    /// That of the new state.
    pub(super) generation: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Closed,
    /// Closed, with the load coming back until this time.
    Ramp {
        until: u64,
    },
    Open {
        until: u64,
    },
    HalfOpen(Trial),
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

/// The probes of one half-open period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// When the verdict falls whatever is still missing.
    pub(super) until: u64,
    /// Permits handed out and not given back; those with a result are included.
    pub(super) taken: u32,
    passed: u32,
    failed: u32,
    cancelled: u32,
}

#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    phase: Phase,
    /// Goes up with every transition, so that a result can be matched with the state it belongs to.
    generation: u64,
    /// Openings since the circuit was last closed.
    openings: u32,
    /// The latest moment before which the callee asked not to be called.
    not_before: u64,
    rng: fastrand::Rng,
}

impl Machine {
    pub(super) const fn new(settings: Settings, rng: fastrand::Rng) -> Self {
        Self {
            settings,
            phase: Phase::Closed,
            generation: 0,
            openings: 0,
            not_before: 0,
            rng,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed | Phase::Ramp { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    /// How often the circuit opened since it was last closed without a ramp.
    pub(super) const fn openings(&self) -> u32 {
        self.openings
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Goes on with other numbers. Waits that have begun keep theirs.
    pub(super) const fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Serves another breaker: closed, in a generation that none before it had.
    pub(super) fn begin(&mut self, settings: Settings, rng: fastrand::Rng) {
        self.settings = settings;
        self.rng = rng;
        self.openings = 0;
        self.not_before = 0;
        self.enter(Phase::Closed, 0);
    }

    /// Does what an operator asks. A phase that it is in already stays as it is.
    pub(super) fn force(&mut self, phase: Phase) -> Option<Change> {
        (std::mem::discriminant(&phase) != std::mem::discriminant(&self.phase))
            .then(|| self.enter(phase, 0))
    }

    /// Takes an operator's order back: closed and without a past.
    pub(super) fn release(&mut self) -> Option<Change> {
        let is_held = matches!(
            self.phase,
            Phase::ForcedOpen | Phase::Disabled | Phase::MetricsOnly
        );
        is_held.then(|| {
            self.openings = 0;
            self.not_before = 0;
            self.enter(Phase::Closed, 0)
        })
    }

    /// Forgets what was counted, if anything is: the closed state begins anew.
    pub(super) fn forget(&mut self) {
        if matches!(
            self.phase,
            Phase::Closed | Phase::Ramp { .. } | Phase::MetricsOnly
        ) {
            self.generation += 1;
        }
    }

    /// Lets a call in or not.
    pub(super) fn admit(&mut self, now: u64) -> (Admission, Option<Change>) {
        let settled = self.settle(now);
        let permits = self.settings.half_open_permits;
        let (refusal, entered) = match &mut self.phase {
            // Which calls of a ramp pass is decided before the machine is asked.
            Phase::Closed | Phase::Ramp { .. } | Phase::Disabled | Phase::MetricsOnly => {
                (None, None)
            }
            Phase::ForcedOpen => (Some((Cause::Forced, self.settings.open_for_ns)), None),
            Phase::Open { until } if now < *until => (Some((Cause::Open, *until - now)), None),
            Phase::Open { .. } => {
                let until = now.saturating_add(self.settings.half_open_max_wait_ns);
                let trial = Trial {
                    taken: 1,
                    ..Trial::new(until)
                };
                (None, Some(self.enter(Phase::HalfOpen(trial), 0)))
            }
            Phase::HalfOpen(trial) if trial.taken < permits => {
                trial.taken += 1;
                (None, None)
            }
            Phase::HalfOpen(trial) => {
                let wait = probing_wait(trial.until, now, self.settings.open_for_ns);
                (Some((Cause::HalfOpenFull, wait)), None)
            }
        };
        let admission = match refusal {
            Some((cause, wait_ns)) => Admission::Rejected { cause, wait_ns },
            None => Admission::Admitted {
                generation: self.generation,
            },
        };
        (admission, settled.or(entered))
    }

    /// Ends a ramp that is over, and a half-open period that is over its limit, so that lost probes cannot keep it for
    /// ever.
    ///
    /// Probes without a result count as failed. A period in which nothing was decided because every
    /// probe was ignored or cancelled, or nobody called, starts again - unless as many as there are
    /// permits were cancelled: then nobody waits long enough for this callee.
    pub(super) fn settle(&mut self, now: u64) -> Option<Change> {
        if let Phase::Ramp { until } = self.phase
            && now >= until
        {
            // The same generation: what the calls of the ramp come to still counts.
            self.phase = Phase::Closed;
            self.openings = 0;
        }
        let Phase::HalfOpen(trial) = &mut self.phase else {
            return None;
        };
        if now < trial.until {
            return None;
        }
        let missed = trial.taken - trial.passed;
        if trial.taken > 0 && !self.settings.is_too_many(missed.into(), trial.taken.into()) {
            return Some(self.close(now));
        }
        if trial.taken > 0 || trial.cancelled >= self.settings.half_open_permits {
            return Some(self.open(now));
        }
        *trial = Trial::new(now.saturating_add(self.settings.half_open_max_wait_ns));
        None
    }

    /// Takes the result of a probe. `false` if it belongs to another time and changed nothing.
    pub(super) fn finish(
        &mut self,
        generation: u64,
        outcome: Outcome,
        now: u64,
    ) -> (bool, Option<Change>) {
        let Phase::HalfOpen(trial) = &mut self.phase else {
            return (false, None);
        };
        if generation != self.generation {
            return (false, None);
        }
        match outcome {
            Outcome::Success => trial.passed += 1,
            Outcome::Failure { not_before } => {
                trial.failed += 1;
                self.not_before = self.not_before.max(not_before.unwrap_or(0));
            }
            Outcome::Ignored => trial.taken -= 1,
            Outcome::Cancelled => {
                trial.taken -= 1;
                trial.cancelled = trial.cancelled.saturating_add(1);
            }
        }
        (true, self.decide(now))
    }

    /// The verdict on the probes, as soon as those that are missing cannot change it.
    fn decide(&mut self, now: u64) -> Option<Change> {
        let Phase::HalfOpen(trial) = self.phase else {
            return None;
        };
        let permits = self.settings.half_open_permits;
        if self
            .settings
            .is_too_many(trial.failed.into(), permits.into())
        {
            Some(self.open(now))
        } else if !self
            .settings
            .is_too_many(permits.saturating_sub(trial.passed).into(), permits.into())
        {
            Some(self.close(now))
        } else {
            None
        }
    }

    /// Opens the circuit because of the calls of this closed period, if it still lasts.
    pub(super) fn trip(&mut self, generation: u64, now: u64) -> Option<Change> {
        let is_closed = matches!(self.phase, Phase::Closed | Phase::Ramp { .. });
        (is_closed && generation == self.generation).then(|| {
            // A ramp that was over when the call ended, though nobody has looked since.
            self.settle(now);
            self.open(now)
        })
    }

    /// Remembers that the callee asked not to be called before a moment.
    pub(super) fn note(&mut self, generation: u64, not_before: u64) {
        if generation == self.generation {
            self.not_before = self.not_before.max(not_before);
        }
    }

    fn open(&mut self, now: u64) -> Change {
        let wait = self.backoff();
        let asked = self.not_before.saturating_sub(now);
        let wait_ns = wait.max(asked.min(self.settings.open_max_ns)).max(1);
        self.openings = self.openings.saturating_add(1);
        self.not_before = 0;
        let until = now.saturating_add(wait_ns);
        self.enter(Phase::Open { until }, wait_ns)
    }

    fn close(&mut self, now: u64) -> Change {
        self.not_before = 0;
        let ramp_ns = self.settings.ramp.total_ns();
        if ramp_ns == 0 {
            self.openings = 0;
            return self.enter(Phase::Closed, 0);
        }
        // An opening during the ramp is one more of the same outage.
        let until = now.saturating_add(ramp_ns);
        self.enter(Phase::Ramp { until }, 0)
    }

    fn enter(&mut self, phase: Phase, wait_ns: u64) -> Change {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        Change {
            from,
            to: self.state(),
            wait_ns,
            generation: self.generation,
        }
    }

    /// `min(max, base × 2^openings)`, shortened by up to the jitter.
    fn backoff(&mut self) -> u64 {
        let Settings {
            open_for_ns,
            open_max_ns,
            jitter,
            ..
        } = self.settings;
        let doublings = self.openings.min(63);
        let wait = open_for_ns.saturating_mul(1 << doublings).min(open_max_ns);
        let spread = u128::from(wait) * u128::from(jitter) / u128::from(PARTS);
        let spread = u64::try_from(spread).unwrap_or(u64::MAX);
        wait - self.rng.u64(..=spread)
    }
}

impl Trial {
    const fn new(until: u64) -> Self {
        Self {
            until,
            taken: 0,
            passed: 0,
            failed: 0,
            cancelled: 0,
        }
    }
}

/// How long who finds all permits taken should wait: the verdict usually falls well before its limit.
pub(super) fn probing_wait(until: u64, now: u64, open_for_ns: u64) -> u64 {
    until.saturating_sub(now).min(open_for_ns)
}
