//! The latency of now against that of the last minutes.

use super::{
    Bounds, Limit, Window,
    bounds::{InvalidLimit, knob, whole},
};

/// Follows the ratio of the long-term latency to that of the last window.
///
/// Netflix' `Gradient2Limit` (concurrency-limits), with drops taken into account:
///
/// ```text
/// long     ← exponential average of the latencies over 600 windows
/// gradient = clamp(tolerance × long / short, 0.5, 1), and 0.5 if the window is dropped
/// limit    ← limit × (1 - smoothing) + (limit × gradient + queue) × smoothing
/// ```
///
/// A long-term latency above twice the short one is shortened by a twentieth per window, so that an outage is forgotten
/// sooner. Under a load that never lets up the long-term latency follows the short one, and the limit creeps up:
/// set `max`.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::{Gradient2, Limit, Window};
///
/// let mut limit = Gradient2::new().initial(100);
/// for _ in 0..20 {
///     limit.update(&Window::new(Duration::from_millis(20), 100));
/// }
/// let before = limit.limit();
/// let slow = Window::new(Duration::from_millis(80), before);
/// assert!(limit.update(&slow) < before);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Gradient2 {
    bounds: Bounds,
    smoothing: f64,
    tolerance: f64,
    queue: u32,
    limit: f64,
    /// Seconds; 0 before the first window.
    long: f64,
    windows: f64,
}

impl Gradient2 {
    /// 20 to begin with, 4 to 1000, smoothing 0.2, tolerance 1.5, a queue of 4.
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::DEFAULT,
            smoothing: 0.2,
            tolerance: 1.5,
            queue: 4,
            limit: Bounds::DEFAULT.initial as f64,
            long: 0.0,
            windows: 0.0,
        }
    }

    /// The first limit. Default 20.
    pub fn initial(mut self, limit: u32) -> Self {
        self.bounds.initial = limit;
        self.limit = limit.into();
        self
    }

    /// The lowest limit. Default 4.
    pub const fn min(mut self, limit: u32) -> Self {
        self.bounds.min = limit;
        self
    }

    /// The highest limit. Default 1000.
    pub const fn max(mut self, limit: u32) -> Self {
        self.bounds.max = limit;
        self
    }

    /// How much of a new limit is taken over per window, 0.01 to 1. Default 0.2.
    pub const fn smoothing(mut self, share: f64) -> Self {
        self.smoothing = share;
        self
    }

    /// How much slower than the long-term latency is still well, 1 to 10. Default 1.5.
    pub const fn tolerance(mut self, ratio: f64) -> Self {
        self.tolerance = ratio;
        self
    }

    /// How many calls may queue at the callee; by so many the limit grows while all is well. Default 4, at most 1000.
    pub const fn queue(mut self, calls: u32) -> Self {
        self.queue = calls;
        self
    }
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self::new()
    }
}

impl Limit for Gradient2 {
    fn limit(&self) -> u32 {
        whole(self.limit)
    }

    fn update(&mut self, window: &Window) -> u32 {
        let short = window.latency().as_secs_f64().max(LATENCY_MIN);
        self.windows = (self.windows + 1.0).min(LONG_WINDOWS);
        // The plain mean of the first windows, until there are enough for the average to forget some.
        self.long += (short - self.long) / self.windows;
        if self.long > 2.0 * short {
            self.long *= 0.95;
        }
        let gradient = if window.is_dropped() {
            0.5
        } else if window.is_app_limited(self.limit) {
            return self.limit();
        } else {
            (self.tolerance * self.long / short).clamp(0.5, 1.0)
        };
        // What is dropped is no reason for a queue.
        let queue = if window.is_dropped() { 0 } else { self.queue };
        let next = self.limit * gradient + f64::from(queue);
        self.limit += (self.bounds.clamp(next) - self.limit) * self.smoothing;
        self.limit = self.bounds.clamp(self.limit);
        self.limit()
    }

    fn restart(&mut self, limit: u32) {
        self.limit = self.bounds.clamp(limit.into());
    }

    fn check(&self) -> Result<(), InvalidLimit> {
        self.bounds.check()?;
        let Self {
            smoothing,
            tolerance,
            queue,
            ..
        } = *self;
        let is_valid = (0.01..=1.0).contains(&smoothing);
        knob("smoothing", "from 0.01 to 1", smoothing, is_valid)?;
        let is_valid = (1.0..=10.0).contains(&tolerance);
        knob("tolerance", "from 1 to 10", tolerance, is_valid)?;
        knob(
            "queue",
            "from 1 to 1000",
            queue.into(),
            (1..=1000).contains(&queue),
        )
    }
}

const LONG_WINDOWS: f64 = 600.0;
/// A nanosecond; a latency of zero has no ratio.
const LATENCY_MIN: f64 = 1e-9;
