//! The whole setting of how calls are spread.

use std::sync::Arc;

use super::{Balance, RingHash, SlowStart, Subset, ZoneAware};
use crate::{
    outlier::{InvalidOutliers, Outliers},
    routing::Rules,
};

/// How calls are spread over the instances of a service.
///
/// ```
/// use msf_registry::{Balance, LoadBalancing, Outliers, SlowStart};
///
/// let settings = LoadBalancing::new(Balance::LeastRequest)
///     .zone("a")
///     .slow_start(SlowStart::default())
///     .outliers(Outliers::default().consecutive(3));
/// assert!(settings.validate().is_ok());
/// assert!(settings.panic_threshold(1.5).validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct LoadBalancing {
    pub(crate) balance: Balance,
    pub(crate) slow_start: Option<SlowStart>,
    pub(crate) zone: Option<Arc<str>>,
    pub(crate) zone_aware: ZoneAware,
    pub(crate) panic_threshold: f32,
    pub(crate) overprovisioning: f32,
    pub(crate) bounded_load: Option<f32>,
    pub(crate) ring: RingHash,
    pub(crate) subset: Option<Subset>,
    pub(crate) outliers: Option<Outliers>,
}

/// A setting of [`LoadBalancing`] that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLoadBalancing {
    /// The panic threshold.
    #[error("`panic_threshold` must be 0 to 1, not {0}")]
    PanicThreshold(f32),
    /// The overprovisioning factor.
    #[error("`overprovisioning` must be 1 to 100, not {0}")]
    Overprovisioning(f32),
    /// The bound on the load of one instance.
    #[error("`bounded_load` must be above 1 and at most 100, not {0}")]
    BoundedLoad(f32),
    /// The size of the subset.
    #[error("`subset` must be of 1 instance or more, not of 0")]
    Subset,
    /// A part of the slow start.
    #[error("`slow_start.{field}` must be {allowed}")]
    SlowStart {
        /// Which part.
        field: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// The zone.
    #[error("`zone` must be 1 to 64 bytes")]
    Zone,
    /// A part of the zone awareness.
    #[error("`zone_aware.callers` must not all be 0")]
    ZoneAware,
    /// A part of the outlier ejection.
    #[error(transparent)]
    Outliers(#[from] InvalidOutliers),
}

impl Default for LoadBalancing {
    fn default() -> Self {
        Self::new(Balance::default())
    }
}

impl From<Balance> for LoadBalancing {
    fn from(balance: Balance) -> Self {
        Self::new(balance)
    }
}

impl LoadBalancing {
    /// An algorithm, with the defaults around it.
    pub const fn new(balance: Balance) -> Self {
        Self {
            balance,
            slow_start: Some(SlowStart::DEFAULT),
            zone: None,
            zone_aware: ZoneAware::DEFAULT,
            panic_threshold: 0.5,
            overprovisioning: 1.4,
            bounded_load: None,
            ring: RingHash::XxHash,
            subset: None,
            outliers: Some(Outliers::DEFAULT),
        }
    }

    /// The algorithm.
    #[must_use]
    pub const fn balance(&self) -> Balance {
        self.balance
    }

    /// Sets how instances that have just joined get their share; 30 s from a tenth unless set.
    pub const fn slow_start(mut self, slow_start: SlowStart) -> Self {
        self.slow_start = Some(slow_start);
        self
    }

    /// Gives instances that have just joined their full share at once.
    pub const fn without_slow_start(mut self) -> Self {
        self.slow_start = None;
        self
    }

    /// Says in which zone this process runs, and so prefers instances of that zone; none unless set.
    pub fn zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Sets how much stays in the zone; without a [`zone`](Self::zone) it does nothing.
    pub fn zone_aware(mut self, zone_aware: ZoneAware) -> Self {
        self.zone_aware = zone_aware;
        self
    }

    /// The part of the instances below which health is not believed any more, 0 to 1; 0.5 unless set, 0 for never.
    pub const fn panic_threshold(mut self, part: f32) -> Self {
        self.panic_threshold = part;
        self
    }

    /// How many times its even share an instance can carry; 1.4 unless set. A priority of whose instances at
    /// least 1 ÷ 1.4, 72 %, work keeps all calls.
    pub const fn overprovisioning(mut self, factor: f32) -> Self {
        self.overprovisioning = factor;
        self
    }

    /// How many times the average in flight an instance may have under a hashing [`Balance`] before the next one
    /// is taken; without a bound unless set. 1.25 is a good value.
    pub const fn bounded_load(mut self, factor: f32) -> Self {
        self.bounded_load = Some(factor);
        self
    }

    /// Sets how the points of the ring are computed under [`Balance::RingHash`]; by xxHash64 unless set.
    pub const fn ring(mut self, ring: RingHash) -> Self {
        self.ring = ring;
        self
    }

    /// Uses only a part of the instances, so that not every caller is connected to every instance; all unless set.
    pub const fn subset(mut self, subset: Subset) -> Self {
        self.subset = Some(subset);
        self
    }

    /// Sets when instances whose calls fail are left alone.
    pub const fn outliers(mut self, outliers: Outliers) -> Self {
        self.outliers = Some(outliers);
        self
    }

    /// Leaves no instance alone because its calls fail.
    pub const fn without_outliers(mut self) -> Self {
        self.outliers = None;
        self
    }

    /// What [`plan`](crate::routing::plan) goes by.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules {
            overprovisioning: self.overprovisioning,
            panic_threshold: self.panic_threshold,
            zone: self.zone.as_deref().map(|zone| (zone, &self.zone_aware)),
        }
    }

    /// Whether it can work; a registry asks when it is built.
    ///
    /// # Errors
    ///
    /// [`InvalidLoadBalancing`] with the first setting that cannot.
    pub fn validate(&self) -> Result<(), InvalidLoadBalancing> {
        if !(0.0..=1.0).contains(&self.panic_threshold) {
            return Err(InvalidLoadBalancing::PanicThreshold(self.panic_threshold));
        }
        if !(1.0..=100.0).contains(&self.overprovisioning) {
            return Err(InvalidLoadBalancing::Overprovisioning(
                self.overprovisioning,
            ));
        }
        if let Some(factor) = self.bounded_load
            && !(factor > 1.0 && factor <= 100.0)
        {
            return Err(InvalidLoadBalancing::BoundedLoad(factor));
        }
        if self.subset.is_some_and(|subset| subset.size() == 0) {
            return Err(InvalidLoadBalancing::Subset);
        }
        if let Some(slow_start) = &self.slow_start {
            slow_start.validate()?;
        }
        if self
            .zone
            .as_ref()
            .is_some_and(|zone| zone.is_empty() || zone.len() > 64)
        {
            return Err(InvalidLoadBalancing::Zone);
        }
        self.zone_aware.validate()?;
        if let Some(outliers) = &self.outliers {
            outliers.validate()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(LoadBalancing::default().validate(), Ok(()));
        assert_eq!(
            LoadBalancing::from(Balance::Random).balance,
            Balance::Random
        );
    }

    #[test]
    fn every_bad_setting_is_named_with_what_it_may_be() {
        let ok = LoadBalancing::default;
        let slow = |slow_start| ok().slow_start(slow_start);
        let outliers = |outliers| ok().outliers(outliers);
        let hour = Duration::from_secs(3_600);
        let table = [
            (
                ok().panic_threshold(-0.1),
                "`panic_threshold` must be 0 to 1, not -0.1",
            ),
            (ok().panic_threshold(f32::NAN), "`panic_threshold`"),
            (
                ok().overprovisioning(0.9),
                "`overprovisioning` must be 1 to 100",
            ),
            (ok().bounded_load(1.0), "`bounded_load` must be above 1"),
            (ok().bounded_load(f32::INFINITY), "`bounded_load`"),
            (ok().subset(Subset::of(0)), "`subset` must be of 1"),
            (ok().zone(""), "`zone` must be 1 to 64 bytes"),
            (
                ok().zone_aware(ZoneAware::default().callers([("a", 0)])),
                "`zone_aware.callers`",
            ),
            (
                slow(SlowStart::default().window(Duration::ZERO)),
                "`slow_start.window`",
            ),
            (
                slow(SlowStart::default().window(hour * 2)),
                "`slow_start.window` must be above 0 and at most 1 h",
            ),
            (slow(SlowStart::default().min(0.0)), "`slow_start.min`"),
            (
                slow(SlowStart::default().aggression(f32::NAN)),
                "`slow_start.aggression`",
            ),
            (
                outliers(Outliers::default().success_rate(1.1)),
                "`outliers.success_rate` must be 0 to 1",
            ),
            (
                outliers(Outliers::default().calls_min(0)),
                "`outliers.calls_min`",
            ),
            (
                outliers(Outliers::default().window(Duration::ZERO)),
                "`outliers.window`",
            ),
            (
                outliers(Outliers::default().base(Duration::ZERO)),
                "`outliers.base`",
            ),
            (
                outliers(Outliers::default().max(Duration::ZERO)),
                "`outliers.max` must be at least `base`",
            ),
            (
                outliers(Outliers::default().jitter(2.0)),
                "`outliers.jitter`",
            ),
            (
                outliers(Outliers::default().max_ejected(f32::NAN)),
                "`outliers.max_ejected`",
            ),
        ];
        for (settings, said) in table {
            let error = settings.validate().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
