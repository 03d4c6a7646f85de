//! How an instance that has just joined gets its share little by little.

use std::time::Duration;

use super::InvalidLoadBalancing;

/// How an instance that has just joined gets its share little by little.
///
/// Its factor grows from [`min`](Self::min) to 1 over the [`window`](Self::window), as in Envoy:
/// `max(min, (age ÷ window)^(1 ÷ aggression))`. Scores are divided by it, weights are multiplied with it.
///
/// ```
/// use std::time::Duration;
/// use msf_registry::SlowStart;
///
/// let slow_start = SlowStart::default();
/// assert_eq!(slow_start.factor(Duration::ZERO), 0.1);
/// assert_eq!(slow_start.factor(Duration::from_secs(15)), 0.5);
/// assert_eq!(slow_start.factor(Duration::from_secs(30)), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    pub(crate) window: Duration,
    pub(crate) min: f32,
    pub(crate) aggression: f32,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl SlowStart {
    pub(crate) const DEFAULT: Self = Self {
        window: Duration::from_secs(30),
        min: 0.1,
        aggression: 1.0,
    };

    /// How long it takes; 30 s unless set, at most 1 h.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The least factor, above 0 and at most 1; 0.1 unless set.
    #[must_use]
    pub const fn min(mut self, min: f32) -> Self {
        self.min = min;
        self
    }

    /// How quickly it grows at first; 1 unless set, which is a straight line. 0.1 to 10.
    #[must_use]
    pub const fn aggression(mut self, aggression: f32) -> Self {
        self.aggression = aggression;
        self
    }

    /// The part of its full share that an instance of this age gets, from [`min`](Self::min) to 1.
    #[must_use]
    pub fn factor(&self, age: Duration) -> f32 {
        if age >= self.window {
            return 1.0;
        }
        let passed = age.as_secs_f32() / self.window.as_secs_f32();
        passed.powf(self.aggression.recip()).clamp(self.min, 1.0)
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidLoadBalancing> {
        let refuse = |field, allowed| Err(InvalidLoadBalancing::SlowStart { field, allowed });
        if self.window.is_zero() || self.window > WINDOW_MAX {
            return refuse("window", "above 0 and at most 1 h");
        }
        if !(self.min > 0.0 && self.min <= 1.0) {
            return refuse("min", "above 0 and at most 1");
        }
        if !(0.1..=10.0).contains(&self.aggression) {
            return refuse("aggression", "0.1 to 10");
        }
        Ok(())
    }

    /// How often a table of weights is made again while somebody is in it: some twenty steps, none of them
    /// quicker than 100 ms.
    pub(crate) fn step(&self) -> Duration {
        (self.window / 20).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}

const WINDOW_MAX: Duration = Duration::from_secs(3_600);
