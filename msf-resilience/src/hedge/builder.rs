//! The knobs, their defaults and their checks.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{
    error::InvalidHedge,
    histogram::PARTS,
    policy::HedgePolicy,
    settings::{Delay, Settings},
};
use crate::{
    budget::{Budget, Rule},
    name::is_name,
};

/// Sets up a [`HedgePolicy`]; the defaults are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::hedge::HedgePolicy;
///
/// let hedge = HedgePolicy::builder("search").after(Duration::from_millis(50)).build()?;
/// assert_eq!(hedge.delay(), Some(Duration::from_millis(50)));
/// # Ok::<(), msf_resilience::hedge::InvalidHedge>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct HedgeBuilder {
    name: Arc<str>,
    after: After,
    min_samples: u32,
    min_delay: Duration,
    window: Duration,
    max_hedges: u32,
    budget: Option<Budget>,
    metrics: Option<Metrics>,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Delay(Duration),
    Quantile(f64),
}

impl HedgeBuilder {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            after: After::Quantile(0.95),
            min_samples: 100,
            min_delay: Duration::from_millis(1),
            window: Duration::from_secs(30),
            max_hedges: 1,
            budget: None,
            metrics: None,
        }
    }

    /// Hedges a call that takes longer than this, 1 ms to 5 min.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = After::Delay(delay);
        self
    }

    /// Hedges a call that takes longer than this share of the calls do, 0.5 to 0.9999. Default 0.95.
    pub const fn after_quantile(mut self, quantile: f64) -> Self {
        self.after = After::Quantile(quantile);
        self
    }

    /// How many latencies a quantile needs; with fewer nothing is hedged. 10 to 1000000, default 100.
    pub const fn min_samples(mut self, samples: u32) -> Self {
        self.min_samples = samples;
        self
    }

    /// The least delay that a quantile gives, at most 5 min. Default 1 ms.
    pub const fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// How far back latencies count: one to two of these, 1 s to 1 h. Default 30 s.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many additional attempts one call may have, 1 to 3, each a delay after the one before. Default 1.
    pub const fn max_hedges(mut self, hedges: u32) -> Self {
        self.max_hedges = hedges;
        self
    }

    /// The budget that hedges are taken from; share it with the retries of the same callee.
    ///
    /// Default: one of its own, of the hedge's name, that allows a tenth of the calls of the last 10 s and one per second.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Exports the hedge's metrics; see the [module documentation](super).
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the policy.
    ///
    /// # Errors
    ///
    /// [`InvalidHedge`] names the first knob that is out of its range.
    pub fn build(self) -> Result<HedgePolicy, InvalidHedge> {
        if !is_name(&self.name) {
            return Err(InvalidHedge::Name);
        }
        let settings = self.settings()?;
        let budget = match self.budget {
            Some(budget) => budget,
            None => Budget::builder(Arc::clone(&self.name))
                .rule(Rule::deposits(BUDGET_RATIO, 1, BUDGET_TTL))
                .build()?,
        };
        let metrics = self.metrics.as_ref();
        Ok(HedgePolicy::new(self.name, &settings, budget, metrics)?)
    }

    pub(super) fn settings(&self) -> Result<Settings, InvalidHedge> {
        let delay = match self.after {
            After::Delay(delay) if !(DELAY_MIN..=DELAY_MAX).contains(&delay) => {
                return Err(InvalidHedge::Delay(delay));
            }
            After::Delay(delay) => Delay::Fixed(delay),
            After::Quantile(quantile) if !(0.5..=0.9999).contains(&quantile) => {
                return Err(InvalidHedge::Quantile(quantile));
            }
            After::Quantile(quantile) => Delay::Quantile(parts(quantile)),
        };
        if !(10..=1_000_000).contains(&self.min_samples) {
            return Err(InvalidHedge::MinSamples(self.min_samples));
        }
        if self.min_delay > DELAY_MAX {
            return Err(InvalidHedge::MinDelay(self.min_delay));
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window) {
            return Err(InvalidHedge::Window(self.window));
        }
        if !(1..=3).contains(&self.max_hedges) {
            return Err(InvalidHedge::MaxHedges(self.max_hedges));
        }
        Ok(Settings {
            delay,
            max_hedges: self.max_hedges,
            min_samples: self.min_samples.into(),
            min_delay: self.min_delay,
            window: self.window,
        })
    }
}

fn parts(quantile: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    let parts = (quantile * PARTS as f64).round() as u64;
    parts
}

const DELAY_MIN: Duration = Duration::from_millis(1);
const DELAY_MAX: Duration = Duration::from_secs(300);
const WINDOW_MIN: Duration = Duration::from_secs(1);
const WINDOW_MAX: Duration = Duration::from_secs(3600);
const BUDGET_RATIO: f64 = 0.1;
const BUDGET_TTL: Duration = Duration::from_secs(10);
