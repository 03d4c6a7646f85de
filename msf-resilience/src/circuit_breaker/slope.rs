//! A checked ramp: which share of the calls is let in when.

use super::settings::PARTS;

/// A checked ramp, in nanoseconds and ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slope {
    pub(super) shares: [u64; STAGES_MAX],
    pub(super) stages: u64,
    pub(super) length_ns: u64,
}

impl Slope {
    pub(super) const NONE: Self = Self {
        shares: [0; STAGES_MAX],
        stages: 0,
        length_ns: 0,
    };

    /// How long the whole ramp lasts.
    pub(super) const fn total_ns(&self) -> u64 {
        let stages = if self.stages == 0 { 1 } else { self.stages };
        self.length_ns.saturating_mul(stages)
    }

    /// The ten-thousandths of the calls that are let in when the ramp has this long to go.
    pub(super) fn share(&self, left_ns: u64) -> u64 {
        let elapsed = self.total_ns().saturating_sub(left_ns);
        if self.length_ns == 0 || left_ns == 0 {
            return PARTS;
        }
        if self.stages > 0 {
            let stage = usize::try_from(elapsed / self.length_ns).unwrap_or(usize::MAX);
            return self.shares.get(stage).copied().unwrap_or(PARTS);
        }
        let grown = u128::from(PARTS - FIRST) * u128::from(elapsed) / u128::from(self.length_ns);
        FIRST + u64::try_from(grown).unwrap_or(PARTS)
    }
}

/// How many stages a ramp can have.
pub(super) const STAGES_MAX: usize = 8;
/// Where a linear ramp begins.
const FIRST: u64 = PARTS / 10;
