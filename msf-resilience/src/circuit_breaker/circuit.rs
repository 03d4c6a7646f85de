//! The state machine behind atomics: what most calls do takes no lock.
//!
//! Calls in the closed state, and refusals, read one or two words that every change of the machine
//! publishes. The lock is taken where the machine changes: at a transition, by the few probes of a half-open
//! circuit, and by failures that carry a `Retry-After`.

use super::{
    machine::{Admission, Machine, Outcome, Phase, Transition, probing_wait},
    settings::Settings,
    state::State,
    sync::{AtomicU64, Mutex, Ordering},
    window::{Kind, Window, tick},
};

#[derive(Debug)]
pub(super) struct Circuit {
    settings: Settings,
    /// The generation above [`MODE_BITS`] bits of mode.
    word: AtomicU64,
    /// The end of the open wait or of the half-open period; 0 when closed.
    ///
    /// Who reads the two while they change may hold words of different changes. It is then let in by nobody
    /// but the machine, and refused only by a circuit that was not closed while it looked.
    until: AtomicU64,
    window: Window,
    machine: Mutex<Machine>,
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// It counted.
    Taken(Option<Transition>),
    /// The state it belongs to is over; it had no effect.
    Stale,
}

impl Circuit {
    pub(super) fn new(settings: Settings, rng: fastrand::Rng) -> Self {
        Self {
            settings,
            word: AtomicU64::new(CLOSED),
            until: AtomicU64::new(0),
            window: Window::new(),
            machine: Mutex::new(Machine::new(settings, rng)),
        }
    }

    /// Lets a call in or not. Asks for the time only if the circuit is not closed.
    #[inline]
    pub(super) fn admit(&self, now: impl FnOnce() -> u64) -> (Admission, Option<Transition>) {
        let word = self.word.load(Ordering::Acquire);
        if word & MODE_MASK == CLOSED {
            let generation = word >> MODE_BITS;
            return (Admission::Admitted { generation }, None);
        }
        self.admit_slowly(word, now())
    }

    #[cold]
    fn admit_slowly(&self, word: u64, now: u64) -> (Admission, Option<Transition>) {
        if let Some(wait_ns) = self.refusal(word, now) {
            return (Admission::Rejected { wait_ns }, None);
        }
        self.with_machine(|machine| machine.admit(now))
    }

    /// For how long a call would be refused now, as far as can be seen without the lock.
    pub(super) fn refuses_for(&self, now: impl FnOnce() -> u64) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        if word & MODE_MASK == CLOSED {
            None
        } else {
            self.refusal(word, now())
        }
    }

    /// Takes the result of a call that was let in with this generation.
    pub(super) fn complete(&self, generation: u64, outcome: Outcome, now: u64) -> Completion {
        let word = self.word.load(Ordering::Acquire);
        if word >> MODE_BITS != generation {
            return Completion::Stale;
        }
        if word & MODE_MASK != CLOSED {
            return match self.with_machine(|machine| machine.finish(generation, outcome, now)) {
                (true, transition) => Completion::Taken(transition),
                (false, _) => Completion::Stale,
            };
        }
        let kind = match outcome {
            Outcome::Ignored => return Completion::Taken(None),
            Outcome::Success => Kind::Success,
            Outcome::Cancelled => Kind::Cancelled,
            Outcome::Failure { not_before } => {
                if let Some(not_before) = not_before {
                    self.with_machine(|machine| machine.note(generation, not_before));
                }
                Kind::Failure
            }
        };
        let tick = tick(now, generation, &self.settings);
        let is_tripped = self.window.record(kind, tick, &self.settings);
        Completion::Taken(if is_tripped {
            self.with_machine(|machine| machine.trip(generation, now))
        } else {
            None
        })
    }

    /// The state, after a half-open period that is over its limit was ended.
    pub(super) fn state(&self, now: u64) -> (State, Option<Transition>) {
        self.with_machine(|machine| {
            let transition = machine.settle(now);
            (machine.state(), transition)
        })
    }

    fn refusal(&self, word: u64, now: u64) -> Option<u64> {
        let until = self.until.load(Ordering::Acquire);
        match word & MODE_MASK {
            OPEN if now < until => Some(until - now),
            FULL if now < until => Some(probing_wait(until, now, &self.settings)),
            _ => None,
        }
    }

    fn with_machine<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        // Nothing inside panics halfway through a change, so a poisoned machine is a whole one.
        let mut machine = self
            .machine
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = change(&mut machine);
        let (mode, until) = match machine.phase() {
            Phase::Closed => (CLOSED, 0),
            Phase::Open { until } => (OPEN, until),
            Phase::HalfOpen(trial) if trial.taken < self.settings.half_open_permits => {
                (PROBING, trial.until)
            }
            Phase::HalfOpen(trial) => (FULL, trial.until),
        };
        self.until.store(until, Ordering::Release);
        let word = (machine.generation() << MODE_BITS) | mode;
        self.word.store(word, Ordering::Release);
        result
    }
}

const MODE_BITS: u32 = 2;
const MODE_MASK: u64 = (1 << MODE_BITS) - 1;
const CLOSED: u64 = 0;
const OPEN: u64 = 1;
/// Half-open with permits left.
const PROBING: u64 = 2;
/// Half-open with every permit taken.
const FULL: u64 = 3;
