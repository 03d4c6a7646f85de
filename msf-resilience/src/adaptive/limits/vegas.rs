//! The queue that the least latency implies.

use std::mem;

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
/// and it does not grow if less than half of it was used. The latency is the mean of the last 10 windows: the least of many
/// single ones would only show how much they vary. Windows that are dropped teach nothing: a callee that is down fails in no
/// time.
///
/// **The base** is the least latency. A callee that has become slower for good looks like a queue at
/// first, so the limit falls - and with it the calls in flight. If the latency does not fall with them, there was no
/// queue. So of every 30 windows the third with the most calls in flight is compared with the third with the fewest, if
/// these have at most 85 % of the calls: in a queue the latency would have fallen in the same proportion. If it
/// fell by less than half of that, the latency of the fewest is the new base. It is measured again without any call being
/// refused for it, and neither a steady load nor one that drains raises it.
///
/// Of 12 calls or fewer not enough can queue to move the limit, so one that is held there is raised by half for the last third
/// of the 30 windows, for the same comparison.
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
    /// The mean of the last windows, in seconds, and of how many it is.
    mean: f64,
    windows: f64,
    period: Period,
}

/// The windows since the base was last looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Period {
    points: [Point; PERIOD],
    len: usize,
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
            mean: 0.0,
            windows: 0.0,
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

    fn learn(&mut self, window: &Window) {
        let latency = window.latency().as_secs_f64().max(LATENCY_MIN);
        // The plain mean of the first windows, until there are enough for the average to forget some.
        self.windows = (self.windows + 1.0).min(MEAN_WINDOWS);
        self.mean += (latency - self.mean) / self.windows;
        // A mean of two or three is too often much less than what it will be of ten.
        if self.windows >= BASE_WINDOWS || self.base.is_infinite() {
            self.base = self.base.min(self.mean);
        }
        let point = Point {
            in_flight: window.in_flight(),
            latency,
        };
        if let Some(base) = self.period.add(point) {
            self.base = base;
            // What is in it from before would hold the next base up.
            self.windows = 0.0;
        }
    }

    /// Whether the limit is so low that a comparison needs help, and it is time for it.
    fn is_stuck(&self) -> bool {
        self.limit <= STUCK_MAX && self.period.len == PERIOD - THIRD
    }
}

impl Period {
    const NEW: Self = Self {
        points: [Point {
            in_flight: 0,
            latency: 0.0,
        }; PERIOD],
        len: 0,
    };

    /// Takes a window; gives a base if the period is over and shows one.
    fn add(&mut self, point: Point) -> Option<f64> {
        self.points[self.len] = point;
        self.len += 1;
        if self.len < PERIOD {
            return None;
        }
        let mut points = mem::replace(self, Self::NEW).points;
        points.sort_unstable_by_key(|point| point.in_flight);
        let fewest = Sum::of(&points[..THIRD]);
        let most = Sum::of(&points[PERIOD - THIRD..]);
        let calls = fewest.in_flight / most.in_flight.max(1.0);
        let latency = fewest.latency / most.latency;
        #[expect(clippy::cast_precision_loss, reason = "ten")]
        let mean = fewest.latency / THIRD as f64;
        (calls <= 0.85 && latency > f64::midpoint(1.0, calls)).then_some(mean)
    }
}

struct Sum {
    in_flight: f64,
    latency: f64,
}

impl Sum {
    fn of(points: &[Point]) -> Self {
        Self {
            in_flight: points.iter().map(|point| f64::from(point.in_flight)).sum(),
            latency: points.iter().map(|point| point.latency).sum(),
        }
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
        let is_dropped = window.is_dropped();
        if !is_dropped {
            self.learn(window);
        }
        let step = self.limit.log10().max(1.0);
        let queue = self.limit * (1.0 - self.base / self.mean);
        let change = if is_dropped || queue > 6.0 * step {
            -step
        } else if window.is_app_limited(self.limit) {
            0.0
        } else if queue <= step {
            6.0 * step
        } else if queue < 3.0 * step {
            step
        } else if self.is_stuck() {
            self.limit / 2.0
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

const PERIOD: usize = 30;
const THIRD: usize = PERIOD / 3;
const MEAN_WINDOWS: f64 = 10.0;
const BASE_WINDOWS: f64 = 4.0;
const STUCK_MAX: f64 = 12.0;
/// A nanosecond; a latency of zero has no ratio.
const LATENCY_MIN: f64 = 1e-9;
