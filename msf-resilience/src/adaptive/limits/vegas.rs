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
/// queue. So every 30 windows two of them are compared, that with the most calls in flight and that with the fewest, if
/// those are at most three quarters of the most: in a queue the latency would have fallen in the same proportion. If it
/// fell by less than half of that, the latency of the fewest is the new base. It is measured again without any call being
/// refused for it, and neither a steady load nor one that drains raises it.
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
    most: Point,
    fewest: Point,
}

/// Calls in flight, and their latency in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    in_flight: u32,
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
        let point = Point {
            in_flight: window.in_flight(),
            latency,
        };
        if let Some(base) = self.period.add(point) {
            self.base = base;
        }
    }
}

impl Period {
    const NEW: Self = Self {
        windows: 0,
        most: Point {
            in_flight: 0,
            latency: 0.0,
        },
        fewest: Point {
            in_flight: u32::MAX,
            latency: 0.0,
        },
    };

    /// Takes a window; gives a base if the period is over and shows one.
    fn add(&mut self, point: Point) -> Option<f64> {
        self.windows += 1;
        if point.in_flight >= self.most.in_flight {
            self.most = point;
        }
        if point.in_flight <= self.fewest.in_flight {
            self.fewest = point;
        }
        if self.windows < PERIOD {
            return None;
        }
        let Self { most, fewest, .. } = std::mem::replace(self, Self::NEW);
        let calls = f64::from(fewest.in_flight) / f64::from(most.in_flight.max(1));
        let latency = fewest.latency / most.latency;
        (calls <= 0.75 && latency > f64::midpoint(1.0, calls)).then_some(fewest.latency)
    }
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
