//! The knobs of a shared limiter.

use std::{borrow::Cow, fmt, sync::Arc};

use msf_core::metrics::Metrics;

use super::limiter::SharedRateLimiter;
use crate::rate_limit::{
    error::InvalidRateLimiter,
    gcra::{FINEST, ticks},
    label::Label,
    limits::Limits,
    metrics::SharedMetrics,
    quota::Quota,
    store::LimitStore,
    unit::QuotaUnit,
};

/// Sets up a [`SharedRateLimiter`]; see there for an example.
#[must_use = "a builder does nothing before `build`"]
pub struct SharedRateLimiterBuilder {
    store: Arc<dyn LimitStore>,
    name: Cow<'static, str>,
    quota: Quota,
    more: Vec<(Cow<'static, str>, Quota)>,
    unit: QuotaUnit,
    metrics: Option<Metrics>,
}

impl SharedRateLimiterBuilder {
    pub(super) fn new(store: Arc<dyn LimitStore>, quota: Quota) -> Self {
        Self {
            store,
            name: Cow::Borrowed("default"),
            quota,
            more: Vec::new(),
            unit: QuotaUnit::Requests,
            metrics: None,
        }
    }

    /// The name of the limiter and of its first limit in the store, headers, logs and metrics: 1 to 64 characters of `a-z`,
    /// `A-Z`, `0-9`, `-`, `_` and `.`. Default `default`. Limiters of one name share their counts.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Another limit for the same keys, with a name of its own.
    pub fn limit(mut self, name: impl Into<Cow<'static, str>>, quota: Quota) -> Self {
        self.more.push((name.into(), quota));
        self
    }

    /// What one unit of cost is. Default requests.
    pub const fn unit(mut self, unit: QuotaUnit) -> Self {
        self.unit = unit;
        self
    }

    /// Exports the limiter's metrics.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the limiter. The store is not asked.
    ///
    /// # Errors
    ///
    /// [`InvalidRateLimiter`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<SharedRateLimiter, InvalidRateLimiter> {
        let quotas = self.more.iter().map(|&(_, quota)| quota);
        let limits = Limits::new(std::iter::once(self.quota).chain(quotas))?;
        let grain = ticks(self.store.grain()).max(FINEST);
        let names = self.more.iter().map(|(name, _)| name);
        let label = Label::new(std::iter::once(&self.name).chain(names), self.unit, grain)?;
        let metrics = self.metrics.as_ref();
        let metrics = metrics.map(|metrics| SharedMetrics::register(metrics, label.name(0)));
        Ok(SharedRateLimiter::new(
            self.store,
            label,
            limits,
            metrics.transpose()?,
        ))
    }
}

impl fmt::Debug for SharedRateLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRateLimiterBuilder")
            .field("store", &self.store)
            .field("name", &self.name)
            .field("quota", &self.quota)
            .field("more", &self.more)
            .finish_non_exhaustive()
    }
}
