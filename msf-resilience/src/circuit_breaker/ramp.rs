//! How the load comes back after a recovery.

use std::time::Duration;

use super::{
    settings::share,
    slope::{STAGES_MAX, Slope},
};

/// How the load comes back when a circuit has closed: a callee that has just recovered has cold caches and no
/// connections, and all the load at once may fell it again.
///
/// During the ramp a growing share of the calls is let in at random, the others are refused with
/// [`Cause::Ramp`](super::Cause::Ramp). As many calls as there are half-open permits are let in during each tenth of the ramp in any
/// case, so that light load is not refused. The circuit counts as closed, and opens if calls fail; if it opens
/// during its ramp, the open wait goes on growing.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::circuit_breaker::{CircuitBreaker, Ramp};
///
/// let linear = CircuitBreaker::builder("cache").ramp(Ramp::linear(Duration::from_secs(30))).build()?;
/// let stages = Ramp::stages([0.05, 0.25, 0.5], Duration::from_secs(5));
/// let staged = CircuitBreaker::builder("index").ramp(stages).build()?;
/// let at_once = CircuitBreaker::builder("mail").ramp(Ramp::none()).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Ramp {
    shares: [f64; STAGES_MAX],
    /// 0 for a linear ramp.
    stages: usize,
    /// Of the whole ramp, or of one stage.
    length: Duration,
}

impl Ramp {
    /// From a tenth of the calls to all of them within this time, at most a day. The default, with 10 s.
    pub const fn linear(length: Duration) -> Self {
        Self {
            shares: [0.0; STAGES_MAX],
            stages: 0,
            length,
        }
    }

    /// One share (0.0001 to 1) after the other, each for so long (up to a day); then all calls. At most 8 stages.
    pub const fn stages<const N: usize>(shares: [f64; N], each: Duration) -> Self {
        let mut kept = [0.0; STAGES_MAX];
        let mut at = 0;
        while at < N && at < STAGES_MAX {
            kept[at] = shares[at];
            at += 1;
        }
        Self {
            shares: kept,
            // None and too many are refused when the breaker is built.
            stages: if N == 0 { STAGES_MAX + 1 } else { N },
            length: each,
        }
    }

    /// All calls at once.
    pub const fn none() -> Self {
        Self::linear(Duration::ZERO)
    }

    /// As the circuit reads it, unless it cannot work.
    pub(super) fn slope(&self) -> Option<Slope> {
        let mut slope = Slope {
            length_ns: u64::try_from(self.length.as_nanos()).unwrap_or(u64::MAX),
            ..Slope::NONE
        };
        let shares = self.shares.get(..self.stages)?;
        for (kept, part) in slope.shares.iter_mut().zip(shares) {
            *kept = share(*part)?;
        }
        slope.stages = self.stages as u64;
        (self.length <= LENGTH_MAX && (self.stages == 0 || slope.length_ns > 0)).then_some(slope)
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::linear(Duration::from_secs(10))
    }
}

const LENGTH_MAX: Duration = Duration::from_secs(86_400);
