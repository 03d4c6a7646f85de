//! When an instance is left alone, and for how long.

use std::time::Duration;

/// When an instance whose calls fail is left alone, and for how long.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::Outliers;
///
/// let quick = Outliers::default().consecutive(3).base(Duration::from_secs(5));
/// assert!(quick.validate().is_ok());
/// assert!(quick.max_ejected(2.0).validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Outliers {
    pub(crate) consecutive: u32,
    pub(crate) success_rate: f32,
    pub(crate) calls_min: u32,
    pub(crate) window: Duration,
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) jitter: f32,
    pub(crate) max_ejected: f32,
}

/// A setting of [`Outliers`] that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`outliers.{field}` must be {allowed}")]
#[non_exhaustive]
pub struct InvalidOutliers {
    /// Which setting.
    pub field: &'static str,
    /// What it may be.
    pub allowed: &'static str,
}

impl Default for Outliers {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Outliers {
    pub(crate) const DEFAULT: Self = Self {
        consecutive: 5,
        success_rate: 0.8,
        calls_min: 20,
        window: Duration::from_secs(10),
        base: Duration::from_secs(10),
        max: Duration::from_secs(300),
        jitter: 0.2,
        max_ejected: 0.5,
    };

    /// How many failures in a row eject; 5 unless set, 0 for never.
    pub const fn consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures;
        self
    }

    /// The part of its peers' success rate below which an instance is ejected; 0.8 unless set, 0 for never.
    pub const fn success_rate(mut self, part: f32) -> Self {
        self.success_rate = part;
        self
    }

    /// How many calls within the window a success rate takes, of the instance and of its peers together; 20
    /// unless set.
    pub const fn calls_min(mut self, calls: u32) -> Self {
        self.calls_min = calls;
        self
    }

    /// Over how long the success rate is taken, in ten steps; 10 s unless set, 1 s to 10 min.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How long the first ejection lasts; 10 s unless set. Each further one lasts as much longer.
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// How long an ejection lasts at most, without the jitter; 300 s unless set.
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// By which part an ejection is drawn longer at random; 0.2 unless set, at most 1.
    pub const fn jitter(mut self, part: f32) -> Self {
        self.jitter = part;
        self
    }

    /// Which part of the instances may be ejected at once; 0.5 unless set. One of two always may be, the last
    /// never.
    pub const fn max_ejected(mut self, part: f32) -> Self {
        self.max_ejected = part;
        self
    }

    /// Whether it can work; a registry asks when it is built.
    ///
    /// # Errors
    ///
    /// [`InvalidOutliers`] with the first setting that cannot.
    pub fn validate(&self) -> Result<(), InvalidOutliers> {
        let refuse = |field, allowed| Err(InvalidOutliers { field, allowed });
        let within = |value: f32| (0.0..=1.0).contains(&value);
        if !within(self.success_rate) {
            return refuse("success_rate", "0 to 1");
        }
        if self.calls_min == 0 {
            return refuse("calls_min", "1 or more");
        }
        if self.window < Duration::from_secs(1) || self.window > WINDOW_MAX {
            return refuse("window", "1 s to 10 min");
        }
        if self.base < BASE_MIN || self.base > EJECTION_MAX {
            return refuse("base", "10 ms to 24 h");
        }
        if self.max < self.base || self.max > EJECTION_MAX {
            return refuse("max", "at least `base` and at most 24 h");
        }
        if !within(self.jitter) {
            return refuse("jitter", "0 to 1");
        }
        if !within(self.max_ejected) {
            return refuse("max_ejected", "0 to 1");
        }
        Ok(())
    }
}

const WINDOW_MAX: Duration = Duration::from_secs(600);
const BASE_MIN: Duration = Duration::from_millis(10);
const EJECTION_MAX: Duration = Duration::from_secs(24 * 3_600);
