//! How much is let in, and which.

use super::priority::CRITICAL_MIN;

/// Levels that can be shed.
pub(super) const LEVELS: usize = CRITICAL_MIN as usize;

/// Below what a request is shed: a level and a part of it, in parts of [`PARTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut(pub(super) u32);

impl Cut {
    /// Sheds nothing.
    pub(super) const NONE: Self = Self(0);

    /// Whether a request of this level is let in. `draw` gives a number below [`PARTS`].
    #[inline]
    pub(super) fn admits(self, level: u16, draw: impl FnOnce() -> u32) -> bool {
        let first = u32::from(level) * PARTS;
        if first >= self.0 || level >= CRITICAL_MIN {
            return true;
        }
        first + PARTS > self.0 && first + draw() >= self.0
    }
}

/// The pure part: what becomes of the share from window to window.
#[derive(Clone, Debug)]
pub(super) struct Controller {
    /// Of all that could be shed, how much is let in.
    share: f64,
    /// What arrived, by level; half as much weight per window.
    arrivals: Box<[f64; LEVELS]>,
}

impl Controller {
    pub(super) fn new() -> Self {
        Self {
            share: 1.0,
            arrivals: Box::new([0.0; LEVELS]),
        }
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    /// Takes what arrived in a window, and the load at its end: 1 and more is too much. `windows` says how many windows
    /// long it was.
    pub(super) fn update(
        &mut self,
        arrivals: impl Iterator<Item = u32>,
        load: f64,
        windows: u64,
    ) -> Cut {
        for (sum, new) in self.arrivals.iter_mut().zip(arrivals) {
            *sum = *sum / 2.0 + f64::from(new);
        }
        if load >= 1.0 {
            let factor = (1.0 / load).clamp(FACTOR_MIN, FACTOR_MAX);
            self.share = (self.share * factor).max(SHARE_MIN);
        } else {
            #[expect(clippy::cast_precision_loss, reason = "capped before")]
            let windows = windows.clamp(1, 1000) as f64;
            self.share = (self.share + RECOVERY * windows).min(1.0);
        }
        self.cut()
    }

    fn cut(&self) -> Cut {
        if self.share >= 1.0 {
            return Cut::NONE;
        }
        let total: f64 = self.arrivals.iter().sum();
        let mut left = total * self.share;
        for (level, &arrivals) in self.arrivals.iter().enumerate().rev() {
            if arrivals > left {
                return Cut::within(level, 1.0 - left / arrivals);
            }
            left -= arrivals;
        }
        // Nothing has arrived yet, so all levels count alike; or rounding left a crumb of the lowest.
        if total > 0.0 {
            return Cut::NONE;
        }
        #[expect(clippy::cast_precision_loss, reason = "400 levels")]
        let levels = LEVELS as f64;
        Cut::within(0, levels * (1.0 - self.share))
    }
}

impl Cut {
    fn within(level: usize, part: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "float casts saturate, and there are 400 levels"
        )]
        let cut = ((level as f64 + part) * f64::from(PARTS)) as u32;
        Self(cut.min(u32::from(CRITICAL_MIN) * PARTS))
    }
}

/// The parts of a level.
pub(super) const PARTS: u32 = 1024;
const FACTOR_MIN: f64 = 0.7;
const FACTOR_MAX: f64 = 0.95;
const RECOVERY: f64 = 0.02;
/// Something is always let in, or nobody would see that it works again.
const SHARE_MIN: f64 = 0.001;
