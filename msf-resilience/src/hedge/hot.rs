//! What calls in flight write to.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use msf_core::clock::Epoch;
use tokio::time::Instant;

use super::{
    histogram::Histogram,
    settings::{Delay, Settings},
};
use crate::{
    slot::{Pool, Recycle},
    stripe::Tally,
};

pub(super) static POOL: Pool<Hot> = Pool::new();

/// Counts, latencies and the delay that follows from them.
#[derive(Debug)]
pub(super) struct Hot {
    generation: AtomicU64,
    epoch: Epoch,
    histogram: Histogram,
    /// The delay in nanoseconds, or [`UNKNOWN`].
    delay_ns: AtomicU64,
    /// When the delay is to be worked out again; [`NEVER`] for a fixed one.
    refresh_at: AtomicU64,
    /// Locked by who changes it and by who works out the delay, so that no delay of old numbers outlives them.
    settings: Mutex<Settings>,
    max_hedges: AtomicU32,
    pub(super) calls: Tally,
    pub(super) hedges: Tally,
    pub(super) won: Tally,
    pub(super) refused: Tally,
}

/// One call as its policy sees it. Dropped before its outcome is known, it counts as slow if the delay had passed.
#[derive(Debug)]
pub(super) struct Track {
    hot: &'static Hot,
    generation: u64,
    /// When the call began, if latencies matter.
    start: Option<Instant>,
    delay: Option<Duration>,
}

impl Hot {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            generation: AtomicU64::new(0),
            // Slots outlive the paused clock of a test.
            epoch: Epoch::before(Duration::from_secs(86_400)),
            histogram: Histogram::new(),
            delay_ns: AtomicU64::new(UNKNOWN),
            refresh_at: AtomicU64::new(NEVER),
            settings: Mutex::new(*settings),
            max_hedges: AtomicU32::new(0),
            calls: Tally::default(),
            hedges: Tally::default(),
            won: Tally::default(),
            refused: Tally::default(),
        }
    }

    /// For a new owner: no latencies, new numbers. The tallies go on.
    pub(super) fn reset(&self, settings: &Settings) {
        let mut present = self.settings();
        *present = *settings;
        self.histogram.reset(tick(self.epoch.nanos(), settings));
        self.begin_with(settings);
    }

    /// New numbers; what was observed stays.
    pub(super) fn set(&self, settings: &Settings) {
        let mut present = self.settings();
        if present.window != settings.window {
            // Ticks of another length are other numbers.
            self.histogram.renumber(tick(self.epoch.nanos(), settings));
        }
        *present = *settings;
        self.begin_with(settings);
    }

    fn begin_with(&self, settings: &Settings) {
        let relaxed = Ordering::Relaxed;
        self.max_hedges.store(settings.max_hedges, relaxed);
        match settings.delay {
            Delay::Fixed(delay) => {
                self.refresh_at.store(NEVER, relaxed);
                self.delay_ns.store(nanos(delay), relaxed);
            }
            Delay::Quantile(_) => {
                self.delay_ns.store(UNKNOWN, relaxed);
                self.refresh_at.store(0, relaxed);
            }
        }
    }

    /// After how long a call that begins now is hedged, if that is known; and what keeps track of it.
    #[inline]
    pub(super) fn begin(&'static self) -> (Option<Duration>, Track) {
        self.calls.add(1);
        let refresh_at = self.refresh_at.load(Ordering::Relaxed);
        let start = (refresh_at != NEVER).then(msf_core::clock::now);
        if let Some(start) = start {
            let now = self.epoch.nanos_at(start);
            if now >= refresh_at {
                self.refresh(now, refresh_at);
            }
        }
        let delay = self.delay();
        let track = Track {
            hot: self,
            generation: self.generation.load(Ordering::Relaxed),
            start,
            delay,
        };
        (delay, track)
    }

    /// Calls, hedges, those that won, and those that the budget refused: of all owners so far.
    pub(super) fn counts(&self) -> [u64; 4] {
        [&self.calls, &self.hedges, &self.won, &self.refused].map(Tally::sum)
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        let delay = self.delay_ns.load(Ordering::Relaxed);
        (delay != UNKNOWN).then(|| Duration::from_nanos(delay))
    }

    pub(super) fn max_hedges(&self) -> u32 {
        self.max_hedges.load(Ordering::Relaxed)
    }

    #[cold]
    fn refresh(&self, now: u64, seen: u64) {
        let relaxed = Ordering::Relaxed;
        let settings = match self.settings.try_lock() {
            Ok(settings) => settings,
            Err(TryLockError::Poisoned(settings)) => settings.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        let Delay::Quantile(parts) = settings.delay else {
            return;
        };
        if self.refresh_at.load(relaxed) != seen {
            return;
        }
        // First, so that the calls that begin meanwhile do not try.
        let next = now.saturating_add(REFRESH_NS);
        self.refresh_at.store(next, relaxed);
        self.histogram.rotate(tick(now, &settings));
        let (quantile, samples) = self.histogram.quantile(parts);
        let delay = if samples < settings.min_samples {
            UNKNOWN
        } else {
            nanos(quantile.max(settings.min_delay))
        };
        self.delay_ns.store(delay, relaxed);
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        let settings = self.settings.lock();
        settings.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recycle for Hot {
    fn retire(&self) -> bool {
        self.generation.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl Track {
    pub(super) fn hedged(&self) {
        self.count(&self.hot.hedges);
    }

    pub(super) fn won(&self) {
        self.count(&self.hot.won);
    }

    pub(super) fn refused(&self) {
        self.count(&self.hot.refused);
    }

    /// A call that outlived its policy does not count for the next one.
    fn count(&self, tally: &Tally) {
        if self.is_current() {
            tally.add(1);
        }
    }

    fn is_current(&self) -> bool {
        self.hot.generation.load(Ordering::Relaxed) == self.generation
    }

    /// The first attempt answered, or another did while it was still working: its latency is at least this.
    pub(super) fn observe(&mut self) {
        self.observe_above(Duration::ZERO);
    }

    fn observe_above(&mut self, least: Duration) {
        if let Some(start) = self.start.take()
            && self.is_current()
        {
            let latency = msf_core::clock::now().saturating_duration_since(start);
            if latency >= least {
                self.hot.histogram.record(latency);
            }
        }
    }

    /// The first attempt failed: how fast says nothing.
    pub(super) fn forget(&mut self) {
        self.start = None;
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        // A caller who gives up before the delay says nothing about the callee. After it, the call was one of the slow
        // ones, hedged or not; leaving those out would shorten the delay, and hedge ever more.
        if let Some(delay) = self.delay {
            self.observe_above(delay);
        }
    }
}

fn tick(now: u64, settings: &Settings) -> u64 {
    now / nanos(settings.window).max(1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(UNKNOWN - 1)
}

const UNKNOWN: u64 = u64::MAX;
const NEVER: u64 = u64::MAX;

/// Working out the quantile reads nine thousand counts, so it is done ten times a second.
const REFRESH_NS: u64 = 100_000_000;
