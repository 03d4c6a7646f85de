//! How an instance that has just joined gets its share little by little.

use std::time::Duration;

use super::InvalidLoadBalancing;

/// How an instance that has just joined gets its share little by little.
///
/// Its factor grows from [`min`](Self::min) to 1 over the [`window`](Self::window), as in Envoy:
/// `max(min, (age ÷ window)^(1 ÷ aggression))`. Whatever the [`Balance`](crate::Balance), the instance takes that part of
/// the draws that give it; the other draws are made again. While all instances start, those that joined first take all.
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
}

const WINDOW_MAX: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Envoy's formula at its defaults, and with an aggression of 2: the square root.
    #[test]
    fn factors_are_those_of_envoys_formula() {
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4;
        let line = SlowStart::default().window(secs(60));
        for (age, factor) in [
            (0, 0.1),
            (3, 0.1),
            (6, 0.1),
            (15, 0.25),
            (30, 0.5),
            (60, 1.0),
            (90, 1.0),
        ] {
            assert!(close(line.factor(secs(age)), factor), "{age} s");
        }
        let root = line.aggression(2.0);
        for (age, factor) in [
            (0, 0.1),
            (15, 0.5),
            (30, std::f32::consts::FRAC_1_SQRT_2),
            (60, 1.0),
        ] {
            assert!(close(root.factor(secs(age)), factor), "{age} s");
        }
    }

    proptest! {
        #[test]
        fn the_factor_only_grows_and_stays_within_its_bounds(
            window in 1_u64..3_600_000, min in 0.001_f32..1.0, aggression in 0.1_f32..10.0,
            a in 0_u64..4_000_000, b in 0_u64..4_000_000,
        ) {
            let slow_start = SlowStart::default()
                .window(Duration::from_millis(window))
                .min(min)
                .aggression(aggression);
            prop_assert_eq!(slow_start.validate(), Ok(()));
            let factor = |ms| slow_start.factor(Duration::from_millis(ms));
            let (young, old) = (factor(a.min(b)), factor(a.max(b)));
            prop_assert!(young <= old && (min..=1.0).contains(&young) && old <= 1.0, "{young} {old}");
        }
    }
}
