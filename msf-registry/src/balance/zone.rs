//! How much of the calls stays in the caller's zone.

use std::collections::BTreeMap;

use super::InvalidLoadBalancing;

/// When calls stay in the caller's zone, and how many do.
///
/// ```
/// use msf_registry::ZoneAware;
///
/// let rule = ZoneAware::default().instances_min(3).callers([("a", 20), ("b", 10)]);
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneAware {
    pub(crate) instances_min: usize,
    /// How many callers there are in each zone; empty for evenly many.
    pub(crate) callers: BTreeMap<Box<str>, u32>,
}

impl Default for ZoneAware {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl ZoneAware {
    pub(crate) const DEFAULT: Self = Self {
        instances_min: 6,
        callers: BTreeMap::new(),
    };

    /// How many instances there must be for zones to matter; 6 unless set. Fewer are called wherever they are:
    /// the shares of so few are too coarse.
    #[must_use]
    pub const fn instances_min(mut self, instances: usize) -> Self {
        self.instances_min = instances;
        self
    }

    /// How many callers run in each zone; evenly many unless set. Only the proportions count.
    #[must_use]
    pub fn callers<Z: Into<Box<str>>>(
        mut self,
        callers: impl IntoIterator<Item = (Z, u32)>,
    ) -> Self {
        self.callers = callers
            .into_iter()
            .map(|(zone, n)| (zone.into(), n))
            .collect();
        self
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidLoadBalancing> {
        if !self.callers.is_empty() && self.callers.values().all(|n| *n == 0) {
            return Err(InvalidLoadBalancing::ZoneAware);
        }
        Ok(())
    }
}
