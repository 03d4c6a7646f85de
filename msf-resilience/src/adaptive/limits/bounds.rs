//! Where a limit begins and how far it goes.

use crate::permits::check_limit;

/// Knobs of an algorithm that make no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLimit {
    /// The bounds are out of order, or no limits.
    #[error(
        "a limit must begin from its `min` to its `max`, both from 1 to 1000000: {min} <= {initial} <= {max} does not hold"
    )]
    Bounds {
        /// The lowest limit.
        min: u32,
        /// The first limit.
        initial: u32,
        /// The highest limit.
        max: u32,
    },
    /// A knob is out of its range.
    #[error("`{knob}` must be {range}, not {value}")]
    Knob {
        /// The setter's name.
        knob: &'static str,
        /// What would be allowed.
        range: &'static str,
        /// What was asked for.
        value: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) min: u32,
    pub(super) initial: u32,
    pub(super) max: u32,
}

impl Bounds {
    pub(super) const DEFAULT: Self = Self {
        min: 4,
        initial: 20,
        max: 1000,
    };

    pub(super) fn check(&self) -> Result<(), InvalidLimit> {
        let Self { min, initial, max } = *self;
        let is_valid = check_limit(min).is_ok() && check_limit(max).is_ok();
        if !is_valid || !(min..=max).contains(&initial) {
            return Err(InvalidLimit::Bounds { min, initial, max });
        }
        Ok(())
    }

    pub(super) fn clamp(&self, limit: f64) -> f64 {
        // Not `f64::clamp`, which panics for bounds that were not checked.
        limit.min(self.max.into()).max(self.min.into())
    }
}

/// The whole calls of a limit that is counted in parts; at least 1.
pub(super) fn whole(limit: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN gives 0"
    )]
    let whole = limit as u32;
    whole.max(1)
}

pub(super) fn knob(
    knob: &'static str,
    range: &'static str,
    value: f64,
    is_valid: bool,
) -> Result<(), InvalidLimit> {
    if is_valid {
        return Ok(());
    }
    Err(InvalidLimit::Knob { knob, range, value })
}
