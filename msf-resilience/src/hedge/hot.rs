//! What calls in flight write to.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
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
    quantile: AtomicU64,
    min_samples: AtomicU64,
    min_delay_ns: AtomicU64,
    window_ns: AtomicU64,
    max_hedges: AtomicU32,
    pub(super) calls: Tally,
    pub(super) hedges: Tally,
    pub(super) won: Tally,
    pub(super) refused: Tally,
}

/// One call as its policy sees it. Dropped before its outcome is known, it counts as slow if it was hedged.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) hot: &'static Hot,
    generation: u64,
    /// When the call began, if latencies matter.
    start: Option<Instant>,
    is_hedged: bool,
}

impl Hot {
    pub(super) fn new() -> Self {
        Self {
            generation: AtomicU64::new(0),
            // Slots outlive the paused clock of a test.
            epoch: Epoch::before(Duration::from_secs(86_400)),
            histogram: Histogram::new(),
            delay_ns: AtomicU64::new(UNKNOWN),
            refresh_at: AtomicU64::new(NEVER),
            quantile: AtomicU64::new(0),
            min_samples: AtomicU64::new(0),
            min_delay_ns: AtomicU64::new(0),
            window_ns: AtomicU64::new(1),
            max_hedges: AtomicU32::new(0),
            calls: Tally::default(),
            hedges: Tally::default(),
            won: Tally::default(),
            refused: Tally::default(),
        }
    }

    /// For a new owner: no latencies, new numbers. The tallies go on.
    pub(super) fn reset(&self, settings: &Settings) {
        self.set(settings);
        self.histogram.reset(self.tick(self.epoch.nanos()));
    }

    /// New numbers; what was observed stays.
    pub(super) fn set(&self, settings: &Settings) {
        let relaxed = Ordering::Relaxed;
        self.min_samples.store(settings.min_samples, relaxed);
        self.min_delay_ns.store(nanos(settings.min_delay), relaxed);
        self.window_ns.store(nanos(settings.window).max(1), relaxed);
        self.max_hedges.store(settings.max_hedges, relaxed);
        match settings.delay {
            Delay::Fixed(delay) => {
                self.refresh_at.store(NEVER, relaxed);
                self.delay_ns.store(nanos(delay), relaxed);
            }
            Delay::Quantile(parts) => {
                self.quantile.store(parts, relaxed);
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
        let track = Track {
            hot: self,
            generation: self.generation.load(Ordering::Relaxed),
            start,
            is_hedged: false,
        };
        (self.delay(), track)
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
        let next = now.saturating_add(REFRESH_NS);
        if self
            .refresh_at
            .compare_exchange(seen, next, relaxed, relaxed)
            .is_err()
        {
            return;
        }
        self.histogram.rotate(self.tick(now));
        let (quantile, samples) = self.histogram.quantile(self.quantile.load(relaxed));
        let delay = if samples < self.min_samples.load(relaxed) {
            UNKNOWN
        } else {
            nanos(quantile).max(self.min_delay_ns.load(relaxed))
        };
        self.delay_ns.store(delay, relaxed);
    }

    fn tick(&self, now: u64) -> u64 {
        now / self.window_ns.load(Ordering::Relaxed)
    }
}

impl Recycle for Hot {
    fn retire(&self) -> bool {
        self.generation.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl Track {
    pub(super) fn hedged(&mut self) {
        self.is_hedged = true;
    }

    /// The first attempt answered, or another did while it was still working: its latency is at least this.
    pub(super) fn observe(&mut self) {
        self.is_hedged = false;
        if let Some(start) = self.start.take()
            && self.hot.generation.load(Ordering::Relaxed) == self.generation
        {
            let latency = msf_core::clock::now().saturating_duration_since(start);
            self.hot.histogram.record(latency);
        }
    }

    /// The first attempt failed: how fast says nothing.
    pub(super) fn forget(&mut self) {
        self.is_hedged = false;
        self.start = None;
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        // A caller who gives up before the delay says nothing about the callee. After it, the call was one of the slow
        // ones; leaving those out would shorten the delay, and hedge ever more.
        if self.is_hedged {
            self.observe();
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(UNKNOWN - 1)
}

const UNKNOWN: u64 = u64::MAX;
const NEVER: u64 = u64::MAX;

/// Working out the quantile reads nine thousand counts, so it is done ten times a second.
const REFRESH_NS: u64 = 100_000_000;
