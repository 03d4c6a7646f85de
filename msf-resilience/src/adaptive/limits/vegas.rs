//! The queue that the least latency implies.

use super::{
    Bounds, Limit, Window,
    bounds::{InvalidLimit, whole},
};

/// Estimates how many calls queue at the callee, and keeps that number small.
///
/// TCP Vegas (Brakmo and Peterson, 1995) in the form of Netflix' `VegasLimit` (concurrency-limits). With `base`, the
/// latency of a callee that is not loaded:
///
/// ```text
/// step  = log10(limit), at least 1
/// queue = limit × (1 - base / latency)
///
/// limit ← limit - step        if the window is dropped, or queue > 6 step
/// limit ← limit + 6 step      else if queue <= step
/// limit ← limit + step        else if queue < 3 step
/// ```
///
/// and it does not grow if less than half of it was used.
///
/// **The base** is the least mean latency of a window. A callee that has become slower for good looks like a queue at
/// first, so the limit falls - and with it the calls in flight. If the latency does not fall with them, there was no
/// queue: every 30 windows the base becomes the latency of the window with the fewest calls in flight, if those were
/// at most three quarters of the most. So it is measured again without any call being refused for it, and a steady load does
/// not raise it.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::{Limit, Vegas, Window};
///
/// let mut limit = Vegas::new();
/// assert_eq!(limit.update(&Window::new(Duration::from_millis(10), 20)), 27);
/// let queueing = Window::new(Duration::from_millis(30), 27);
/// assert_eq!(limit.update(&queueing), 26);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Vegas {
    bounds: Bounds,
    limit: f64,
    /// Seconds; infinite before the first window.
    base: f64,
    period: Period,
}

/// The windows since the base was last looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Period {
    windows: u32,
    most: u32,
    fewest: u32,
    /// The latency of the window with the fewest calls in flight, in seconds.
    latency: f64,
}

impl Vegas {
    /// 20 to begin with, 4 to 1000.
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::DEFAULT,
            limit: Bounds::DEFAULT.initial as f64,
            base: f64::INFINITY,
            period: Period::NEW,
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

    fn learn(&mut self, window: &Window, latency: f64) {
        self.base = self.base.min(latency);
        let period = &mut self.period;
        period.windows += 1;
        period.most = period.most.max(window.in_flight());
        if window.in_flight() <= period.fewest {
            period.fewest = window.in_flight();
            period.latency = latency;
        }
        if period.windows >= PERIOD {
            if u64::from(period.fewest) * 4 <= u64::from(period.most) * 3 {
                self.base = period.latency;
            }
            *period = Period::NEW;
        }
    }
}

impl Period {
    const NEW: Self = Self {
        windows: 0,
        most: 0,
        fewest: u32::MAX,
        latency: f64::INFINITY,
    };
}

impl Default for Vegas {
    fn default() -> Self {
        Self::new()
    }
}

impl Limit for Vegas {
    fn limit(&self) -> u32 {
        whole(self.limit)
    }

    fn update(&mut self, window: &Window) -> u32 {
        let latency = window.latency().as_secs_f64().max(LATENCY_MIN);
        self.learn(window, latency);
        let step = self.limit.log10().max(1.0);
        let queue = self.limit * (1.0 - self.base / latency);
        let change = if window.is_dropped() || queue > 6.0 * step {
            -step
        } else if window.is_app_limited(self.limit) {
            0.0
        } else if queue <= step {
            6.0 * step
        } else if queue < 3.0 * step {
            step
        } else {
            0.0
        };
        self.limit = self.bounds.clamp(self.limit + change);
        self.limit()
    }

    fn restart(&mut self, limit: u32) {
        self.limit = self.bounds.clamp(limit.into());
    }

    fn check(&self) -> Result<(), InvalidLimit> {
        self.bounds.check()
    }
}

const PERIOD: u32 = 30;
/// A nanosecond; a latency of zero has no ratio.
const LATENCY_MIN: f64 = 1e-9;
