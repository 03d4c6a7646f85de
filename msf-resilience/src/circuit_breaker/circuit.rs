//! The state machine behind atomics: what most calls do takes no lock.
//!
//! Calls in the closed state, and refusals, read one or two words that every change of the machine
//! publishes. The lock is taken where the machine changes: at a transition, by the few probes of a half-open
//! circuit, and by failures that carry a `Retry-After`.

use super::{
    cause::Cause,
    machine::{Admission, Change, Machine, Outcome, Phase, probing_wait},
    ring::{Entry, Ring},
    runs::Runs,
    settings::{CALLS, CANCELLED_SLOW, Cancel, Hot, Length, PARTS, RUNS, SLOW, Settings, TIME},
    state::State,
    sync::{AtomicU64, Mutex, Ordering},
    window::{Figures, Window},
};

#[derive(Debug)]
pub(super) struct Circuit<const STRIPES: usize> {
    /// The generation above [`MODE_BITS`] bits of mode.
    word: AtomicU64,
    /// The end of the open wait, of the half-open period or of the ramp; otherwise 0.
    ///
    /// Who reads the two while they change may hold words of different changes. It is then let in by nobody
    /// but the machine, and refused only by a circuit that was not closed while it looked.
    until: AtomicU64,
    hot: Hot,
    runs: Runs,
    window: Window<STRIPES>,
    ring: Ring,
    /// The tenth of a ramp above [`FLOOR_BITS`] bits of how many calls it let in beyond its share.
    floor: AtomicU64,
    machine: Mutex<Machine>,
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// It counted.
    Taken(Option<Change>),
    /// The state it belongs to is over; it had no effect.
    Stale,
    /// The breaker is disabled.
    Uncounted,
}

/// What became of a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// It counted, and that is all.
    Counted,
    /// It counted, and the rates say that the circuit must open.
    Trips,
    /// It is not of the present closed period: it is to be judged like any other result.
    Elsewhere,
}

impl<const STRIPES: usize> Circuit<STRIPES> {
    pub(super) fn new(settings: Settings, rng: fastrand::Rng) -> Self {
        let hot = Hot::default();
        hot.set(&settings);
        Self {
            word: AtomicU64::new(CLOSED),
            until: AtomicU64::new(0),
            hot,
            runs: Runs::new(),
            window: Window::new(),
            ring: Ring::new(),
            floor: AtomicU64::new(0),
            machine: Mutex::new(Machine::new(settings, rng)),
        }
    }

    /// Serves another breaker from here on. Returns its first generation, above every earlier one.
    pub(super) fn begin(&self, settings: Settings, rng: fastrand::Rng) -> u64 {
        self.with_machine(|machine| {
            self.hot.set(&settings);
            machine.begin(settings, rng);
            machine.generation()
        })
    }

    /// Goes on with other numbers and the same state and counts; a window of another kind starts empty.
    pub(super) fn reconfigure(&self, settings: Settings, now: u64) {
        self.with_machine(|machine| {
            let old = machine.settings().window;
            machine.set(settings);
            self.hot.set(&settings);
            match (old, settings.window) {
                (Length::Time { bucket_ns: old }, Length::Time { bucket_ns }) => {
                    if old != bucket_ns {
                        self.window.rescale(now, old, bucket_ns);
                    }
                }
                (Length::Calls(_), Length::Calls(_)) => {}
                _ => machine.forget(),
            }
            self.window.unsettle();
            self.ring.unsettle();
        });
    }

    /// The generation, if the circuit is closed: then every call is let in.
    #[inline]
    pub(super) fn closed(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        (word & MODE_MASK == CLOSED).then_some(word >> MODE_BITS)
    }

    /// Lets a call in or not. Asks for the time only if that matters.
    #[cold]
    pub(super) fn admit(&self, now: impl FnOnce() -> u64) -> (Admission, Option<Change>) {
        let word = self.word.load(Ordering::Acquire);
        let generation = word >> MODE_BITS;
        if matches!(word & MODE_MASK, CLOSED | DISABLED | METRICS_ONLY) {
            return (Admission::Admitted { generation }, None);
        }
        let now = now();
        if let Some((cause, wait_ns)) = self.refusal(word, now) {
            return (Admission::Rejected { cause, wait_ns }, None);
        }
        if word & MODE_MASK == RAMP {
            let until = self.until.load(Ordering::Acquire);
            if now < until {
                return (self.admit_to_ramp(generation, until - now), None);
            }
        }
        self.with_machine(|machine| machine.admit(now))
    }

    fn admit_to_ramp(&self, generation: u64, left_ns: u64) -> Admission {
        let ramp = self.hot.ramp();
        let is_lucky = fastrand::u64(..PARTS) < ramp.share(left_ns);
        if is_lucky || self.is_below_floor(generation, left_ns, ramp.total_ns()) {
            Admission::Admitted { generation }
        } else {
            Admission::Rejected {
                cause: Cause::Ramp,
                wait_ns: left_ns.min(RAMP_WAIT_NS),
            }
        }
    }

    /// Takes one of the calls that each tenth of a ramp lets in whatever its share is.
    fn is_below_floor(&self, generation: u64, left_ns: u64, total_ns: u64) -> bool {
        let tenth = left_ns.saturating_mul(10) / total_ns.max(1);
        let tenth = generation.wrapping_mul(16).wrapping_add(tenth & 15) << FLOOR_BITS;
        let permits = self.hot.half_open_permits.load(Ordering::Relaxed);
        let taken = self
            .floor
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                if seen & !FLOOR_MASK == tenth {
                    (seen & FLOOR_MASK < permits).then_some(seen + 1)
                } else {
                    Some(tenth | 1)
                }
            });
        taken.is_ok()
    }

    /// For how long a call would be refused now, and why, as far as can be seen without the lock.
    ///
    /// A ramp refuses nobody before the call is made.
    #[inline]
    pub(super) fn refuses_for(&self, now: impl FnOnce() -> u64) -> Option<(Cause, u64)> {
        let word = self.word.load(Ordering::Acquire);
        if word & MODE_MASK == CLOSED {
            None
        } else {
            self.refusal(word, now())
        }
    }

    /// Whether calls must be timed.
    #[inline]
    pub(super) fn is_timing(&self) -> bool {
        self.hot.flags() & SLOW != 0
    }

    /// From how many nanoseconds on a call is slow.
    pub(super) fn slow_ns(&self) -> u64 {
        self.hot.slow_ns.load(Ordering::Relaxed)
    }

    /// Takes a success if it does not change anything: failures in a row are all that is counted, and there are none.
    #[inline]
    pub(super) fn succeed_in_row(&self, generation: u64) -> bool {
        self.hot.flags() == RUNS
            && self.word.load(Ordering::Acquire) == generation << MODE_BITS
            && self.runs.are_none()
    }

    /// Takes a success that was not slow, the usual result: in a window of time it reads the clock, otherwise not
    /// even that.
    #[inline]
    pub(super) fn succeed(&self, generation: u64, now: impl Fn() -> u64) -> Success {
        let flags = self.hot.flags();
        // The tick before the word: as the word still shows this period, the tick is not of a later one.
        let tick = if flags & TIME == 0 {
            0
        } else {
            self.window.tick(now(), &self.hot)
        };
        if self.word.load(Ordering::Acquire) != generation << MODE_BITS {
            return Success::Elsewhere;
        }
        if self.count_success(flags, tick, generation) {
            Success::Trips
        } else {
            Success::Counted
        }
    }

    /// Does what a success asks for beyond being counted.
    #[cold]
    pub(super) fn follow(&self, success: Success, generation: u64, now: u64) -> Completion {
        match success {
            Success::Counted => Completion::Taken(None),
            Success::Trips => self.trip(generation, now),
            Success::Elsewhere => self.complete(generation, Outcome::Success, false, now),
        }
    }

    /// Takes the result of a call that was let in with this generation.
    #[cold]
    pub(super) fn complete(
        &self,
        generation: u64,
        outcome: Outcome,
        is_slow: bool,
        now: u64,
    ) -> Completion {
        let flags = self.hot.flags();
        let tick = if flags & TIME == 0 {
            0
        } else {
            self.window.tick(now, &self.hot)
        };
        let word = self.word.load(Ordering::Acquire);
        if word >> MODE_BITS != generation {
            return Completion::Stale;
        }
        let is_slow = is_slow && (outcome != Outcome::Cancelled || flags & CANCELLED_SLOW != 0);
        let outcome = match (outcome, self.hot.cancel()) {
            (Outcome::Cancelled, Cancel::Failure) => Outcome::Failure { not_before: None },
            // A slow call that has not failed, though nobody knows how it would have ended.
            (Outcome::Cancelled, _) if is_slow => Outcome::Success,
            (Outcome::Cancelled, Cancel::Ignore) => Outcome::Ignored,
            _ => outcome,
        };
        match word & MODE_MASK {
            CLOSED | RAMP | METRICS_ONLY => {}
            DISABLED => return Completion::Uncounted,
            _ => {
                let outcome = match outcome {
                    Outcome::Success if is_slow => Outcome::Failure { not_before: None },
                    outcome => outcome,
                };
                return match self.with_machine(|machine| machine.finish(generation, outcome, now)) {
                    (true, change) => Completion::Taken(change),
                    (false, _) => Completion::Stale,
                };
            }
        }
        if let Outcome::Failure {
            not_before: Some(not_before),
        } = outcome
        {
            self.with_machine(|machine| machine.note(generation, not_before));
        }
        let is_tripped = match outcome {
            Outcome::Success if !is_slow => self.count_success(flags, tick, generation),
            Outcome::Ignored => false,
            Outcome::Cancelled => self.count_cancelled(flags, tick, generation),
            Outcome::Success | Outcome::Failure { .. } => {
                let has_failed = outcome != Outcome::Success;
                self.count_bad(has_failed, is_slow, flags, tick, generation)
            }
        };
        if is_tripped && word & MODE_MASK != METRICS_ONLY {
            self.trip(generation, now)
        } else {
            Completion::Taken(None)
        }
    }

    #[inline]
    fn count_success(&self, flags: u64, tick: u64, generation: u64) -> bool {
        if flags & RUNS != 0 {
            self.runs.succeed(generation);
        }
        if flags & TIME != 0 {
            return self.window.succeed(tick, &self.hot);
        }
        flags & CALLS != 0 && self.ring.record(Entry::SUCCESS, generation, &self.hot)
    }

    fn count_bad(
        &self,
        has_failed: bool,
        is_slow: bool,
        flags: u64,
        tick: u64,
        generation: u64,
    ) -> bool {
        let has_run = flags & RUNS != 0 && {
            if has_failed {
                self.hot.is_run(self.runs.fail(generation))
            } else {
                self.runs.succeed(generation);
                false
            }
        };
        let is_bad = if flags & TIME != 0 {
            self.window.note(has_failed, is_slow, tick, &self.hot)
        } else if flags & CALLS != 0 {
            let entry = Entry {
                has_failed,
                is_slow,
                is_cancelled: false,
            };
            self.ring.record(entry, generation, &self.hot)
        } else {
            false
        };
        has_run || is_bad
    }

    fn count_cancelled(&self, flags: u64, tick: u64, generation: u64) -> bool {
        let Cancel::Share(share) = self.hot.cancel() else {
            return false;
        };
        if flags & TIME != 0 {
            self.window.cancel(share, tick, &self.hot)
        } else if flags & CALLS != 0 {
            self.ring.cancel(share, generation, &self.hot)
        } else {
            self.hot.is_run(self.runs.cancel(generation))
        }
    }

    /// Opens the circuit because of a call that counted in this closed period, if it still lasts.
    #[cold]
    fn trip(&self, generation: u64, now: u64) -> Completion {
        Completion::Taken(self.with_machine(|machine| machine.trip(generation, now)))
    }

    /// The state, after what is over its time was ended.
    pub(super) fn state(&self, now: u64) -> (State, Option<Change>) {
        self.with_machine(|machine| {
            let change = machine.settle(now);
            (machine.state(), change)
        })
    }

    /// Whether it is closed with all of the load: nothing but counts would be lost with it.
    pub(super) fn is_resting(&self, now: impl FnOnce() -> u64) -> bool {
        match self.word.load(Ordering::Acquire) & MODE_MASK {
            CLOSED => true,
            RAMP => now() >= self.until.load(Ordering::Acquire),
            _ => false,
        }
    }

    /// What the window holds, failures in a row among it.
    pub(super) fn figures(&self, now: u64) -> (Figures, u64) {
        let generation = self.word.load(Ordering::Acquire) >> MODE_BITS;
        let flags = self.hot.flags();
        let figures = if flags & TIME != 0 {
            self.window.figures(now, &self.hot)
        } else if flags & CALLS != 0 {
            self.ring.figures(generation, &self.hot)
        } else {
            Figures::default()
        };
        (figures, self.runs.failed(generation))
    }

    /// Changes the machine as its operator asks.
    pub(super) fn order<T>(&self, order: impl FnOnce(&mut Machine) -> T) -> T {
        self.with_machine(order)
    }

    fn refusal(&self, word: u64, now: u64) -> Option<(Cause, u64)> {
        let until = self.until.load(Ordering::Acquire);
        let open_for_ns = self.hot.open_for_ns.load(Ordering::Relaxed);
        match word & MODE_MASK {
            OPEN if now < until => Some((Cause::Open, until - now)),
            FULL if now < until => {
                Some((Cause::HalfOpenFull, probing_wait(until, now, open_for_ns)))
            }
            FORCED => Some((Cause::Forced, open_for_ns)),
            _ => None,
        }
    }

    fn with_machine<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        // Nothing inside panics halfway through a change, so a poisoned machine is a whole one.
        let mut machine = self
            .machine
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = machine.generation();
        let result = change(&mut machine);
        let generation = machine.generation();
        let permits = machine.settings().half_open_permits;
        let (mode, until) = match machine.phase() {
            Phase::Closed => (CLOSED, 0),
            Phase::Ramp { until } => (RAMP, until),
            Phase::Open { until } => (OPEN, until),
            Phase::HalfOpen(trial) if trial.taken < permits => (PROBING, trial.until),
            Phase::HalfOpen(trial) => (FULL, trial.until),
            Phase::ForcedOpen => (FORCED, 0),
            Phase::Disabled => (DISABLED, 0),
            Phase::MetricsOnly => (METRICS_ONLY, 0),
        };
        if generation != before && matches!(mode, CLOSED | RAMP | METRICS_ONLY) {
            // The old period ends before the window begins anew: a record that sees the new tick sees that it is late.
            // Whoever comes between the two stores waits for the lock.
            let word = (generation << MODE_BITS) | PROBING;
            self.word.store(word, Ordering::Release);
            self.window.restart();
        }
        self.until.store(until, Ordering::Release);
        let word = (generation << MODE_BITS) | mode;
        self.word.store(word, Ordering::Release);
        result
    }
}

const MODE_BITS: u32 = 3;
const MODE_MASK: u64 = (1 << MODE_BITS) - 1;
const CLOSED: u64 = 0;
const OPEN: u64 = 1;
/// Half-open with permits left.
const PROBING: u64 = 2;
/// Half-open with every permit taken.
const FULL: u64 = 3;
const FORCED: u64 = 4;
const DISABLED: u64 = 5;
const METRICS_ONLY: u64 = 6;
/// Closed, with the load coming back.
const RAMP: u64 = 7;

const FLOOR_BITS: u32 = 16;
const FLOOR_MASK: u64 = (1 << FLOOR_BITS) - 1;
/// What a call that a ramp refused is asked to wait at most: by then the share has grown.
const RAMP_WAIT_NS: u64 = 1_000_000_000;
