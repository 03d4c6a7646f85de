//! The knobs and their checks.

use std::sync::Arc;

use msf_core::metrics::Metrics;

use super::{
    error::InvalidFaults,
    faults::Faults,
    kind::Latency,
    schedule::{PARTS, Schedule},
};
use crate::name::is_name;

/// Sets up [`Faults`]; without a share nothing is injected but what a trusted header asks for.
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::fault::{Faults, Latency};
///
/// let faults = Faults::builder("payment")
///     .latency(Latency::fixed(Duration::from_millis(200)), 0.1)
///     .error(0.02)
///     .build()?;
/// assert!(!faults.is_active(), "until somebody says so");
/// # Ok::<(), msf_resilience::fault::InvalidFaults>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct FaultsBuilder {
    name: Arc<str>,
    latency: Latency,
    shares: [f64; 4],
    seed: Option<u64>,
    metrics: Option<Metrics>,
}

impl FaultsBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            latency: Latency::fixed(DEFAULT_LATENCY),
            shares: [0.0; 4],
            seed: None,
            metrics: None,
        }
    }

    /// Lets this share of the calls take longer, 0 to 1.
    pub const fn latency(mut self, latency: Latency, share: f64) -> Self {
        self.latency = latency;
        self.shares[0] = share;
        self
    }

    /// Lets this share of the calls fail at once, 0 to 1.
    pub const fn error(mut self, share: f64) -> Self {
        self.shares[1] = share;
        self
    }

    /// Lets this share of the calls hang until their caller gives up, 0 to 1.
    pub const fn hang(mut self, share: f64) -> Self {
        self.shares[2] = share;
        self
    }

    /// Lets the answer of this share of the calls break off, 0 to 1.
    pub const fn reset(mut self, share: f64) -> Self {
        self.shares[3] = share;
        self
    }

    /// Makes it repeatable: the same seed gives the same faults to the same numbers of calls. Default random.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Exports what is injected; see the [module documentation](super).
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Sets it up, switched off.
    ///
    /// # Errors
    ///
    /// [`InvalidFaults`] names the knob and its range.
    pub fn build(self) -> Result<Faults, InvalidFaults> {
        if !is_name(&self.name) {
            return Err(InvalidFaults::Name);
        }
        let schedule = self.schedule()?;
        Ok(Faults::new(self.name, schedule, self.metrics.as_ref())?)
    }

    pub(super) fn schedule(&self) -> Result<Schedule, InvalidFaults> {
        if !self.latency.is_valid() {
            return Err(InvalidFaults::Latency);
        }
        let mut shares = [0; 4];
        let kinds = ["latency", "error", "hang", "reset"];
        for ((parts, &share), fault) in shares.iter_mut().zip(&self.shares).zip(kinds) {
            *parts = parts_of(share).ok_or(InvalidFaults::Share { fault, share })?;
        }
        let sum = shares.iter().sum::<u32>();
        if sum > PARTS {
            return Err(InvalidFaults::Shares(f64::from(sum) / f64::from(PARTS)));
        }
        Ok(Schedule {
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
            latency: self.latency,
            shares,
        })
    }
}

/// A share in ten-thousandths; nothing for what is no share, or so small that it would become 0.
fn parts_of(share: f64) -> Option<u32> {
    if !(0.0..=1.0).contains(&share) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    let parts = (share * f64::from(PARTS)).round() as u32;
    (parts > 0 || share == 0.0).then_some(parts)
}

const DEFAULT_LATENCY: std::time::Duration = std::time::Duration::from_millis(100);
