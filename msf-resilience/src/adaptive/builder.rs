//! The knobs of an adaptive limit and their checks.

use std::{sync::Arc, time::Duration};

use msf_core::metrics::Metrics;

use super::{
    error::InvalidAdaptiveLimit,
    handle::AdaptiveLimit,
    limits::{Limit, Vegas},
};
use crate::name;

/// Sets up an [`AdaptiveLimit`]. The defaults and their reasons are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_resilience::adaptive::{AdaptiveLimit, Gradient2};
///
/// let limit = AdaptiveLimit::builder("search")
///     .algorithm(Gradient2::new().initial(10).max(200))
///     .window(Duration::from_millis(500))
///     .min_calls(20)
///     .build()?;
/// assert_eq!(limit.snapshot().limit(), 10);
/// # Ok::<(), msf_resilience::adaptive::InvalidAdaptiveLimit>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct AdaptiveLimitBuilder {
    name: Arc<str>,
    algorithm: Box<dyn Limit>,
    window: Duration,
    min_calls: u32,
    metrics: Option<Metrics>,
}

/// What [`AdaptiveLimitBuilder::build`] has checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) algorithm: Box<dyn Limit>,
    pub(super) window_ns: u64,
    pub(super) min_calls: u32,
}

impl AdaptiveLimitBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            algorithm: Box::new(Vegas::new()),
            window: Duration::from_millis(250),
            min_calls: 10,
            metrics: None,
        }
    }

    /// What sets the limit. Default [`Vegas`].
    pub fn algorithm(mut self, algorithm: impl Limit) -> Self {
        self.algorithm = Box::new(algorithm);
        self
    }

    /// How long calls are collected before the algorithm sees them, 10 ms to 1 min. Default 250 ms.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many calls a window must have; it goes on until then. 1 to 100 000, default 10.
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// Exports the limit's metrics. Limits of one name share their series.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the limit.
    ///
    /// # Errors
    ///
    /// [`InvalidAdaptiveLimit`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<AdaptiveLimit, InvalidAdaptiveLimit> {
        let (name, metrics) = (Arc::clone(&self.name), self.metrics.clone());
        let settings = self.settings()?;
        Ok(AdaptiveLimit::new(name, settings, metrics.as_ref())?)
    }

    pub(super) fn settings(self) -> Result<Settings, InvalidAdaptiveLimit> {
        if !name::is_name(&self.name) {
            return Err(InvalidAdaptiveLimit::Name);
        }
        self.algorithm.check()?;
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window) {
            return Err(InvalidAdaptiveLimit::Window(self.window));
        }
        if !(1..=MIN_CALLS_MAX).contains(&self.min_calls) {
            return Err(InvalidAdaptiveLimit::MinCalls(self.min_calls));
        }
        Ok(Settings {
            algorithm: self.algorithm,
            window_ns: u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX),
            min_calls: self.min_calls,
        })
    }
}

const WINDOW_MIN: Duration = Duration::from_millis(10);
const WINDOW_MAX: Duration = Duration::from_secs(60);
const MIN_CALLS_MAX: u32 = 100_000;
