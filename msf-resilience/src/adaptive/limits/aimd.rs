//! Additive increase, multiplicative decrease.

use std::time::Duration;

use super::{
    Bounds, Limit, Window,
    bounds::{InvalidLimit, knob, whole},
};

/// One more per window while all is well, a tenth less when calls fail or take too long.
///
/// The rule of TCP's congestion avoidance, in the form of Netflix' `AIMDLimit` (concurrency-limits):
///
/// ```text
/// limit ← limit × backoff    if the window is dropped, or its latency is above `timeout`
/// limit ← limit + 1          else if at least half of the limit was used
/// ```
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::{Aimd, Limit, Window};
///
/// let mut limit = Aimd::new();
/// let fast = Window::new(Duration::from_millis(10), 20).calls(100);
/// assert_eq!(limit.update(&fast), 21);
/// assert_eq!(limit.update(&fast.drops(30)), 18);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Aimd {
    bounds: Bounds,
    backoff: f64,
    timeout: Duration,
    limit: f64,
}

impl Aimd {
    /// 20 to begin with, 4 to 1000, a backoff of 0.9, a timeout of 5 s.
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::DEFAULT,
            backoff: 0.9,
            timeout: Duration::from_secs(5),
            limit: Bounds::DEFAULT.initial as f64,
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

    /// By what the limit is multiplied to lower it, 0.5 to 0.99. Default 0.9.
    pub const fn backoff(mut self, backoff: f64) -> Self {
        self.backoff = backoff;
        self
    }

    /// From which mean latency on the callee is overloaded. Default 5 s.
    pub const fn timeout(mut self, latency: Duration) -> Self {
        self.timeout = latency;
        self
    }
}

impl Default for Aimd {
    fn default() -> Self {
        Self::new()
    }
}

impl Limit for Aimd {
    fn limit(&self) -> u32 {
        whole(self.limit)
    }

    fn update(&mut self, window: &Window) -> u32 {
        if window.is_dropped() || window.latency() > self.timeout {
            self.limit = self.bounds.clamp(self.limit * self.backoff);
        } else if !window.is_app_limited(self.limit) {
            self.limit = self.bounds.clamp(self.limit + 1.0);
        }
        self.limit()
    }

    fn restart(&mut self, limit: u32) {
        self.limit = self.bounds.clamp(limit.into());
    }

    fn check(&self) -> Result<(), InvalidLimit> {
        let Self {
            backoff, timeout, ..
        } = *self;
        self.bounds.check()?;
        knob(
            "backoff",
            "from 0.5 to 0.99",
            backoff,
            (0.5..=0.99).contains(&backoff),
        )?;
        let seconds = timeout.as_secs_f64();
        knob(
            "timeout",
            "more than zero seconds",
            seconds,
            !timeout.is_zero(),
        )
    }
}
