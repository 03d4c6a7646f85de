//! The knobs of a budget.

use std::sync::Arc;

use msf_core::metrics::Metrics;

use super::{error::InvalidBudget, handle::Budget, rule::Rule};
use crate::name;

/// Sets up a [`Budget`]; the defaults are in the [module documentation](super).
///
/// ```
/// use msf_resilience::budget::{Budget, Rule};
///
/// let budget = Budget::builder("payment").rule(Rule::quota(500, 14, 5)).build()?;
/// assert_eq!(budget.available(), 500 / 14);
/// # Ok::<(), msf_resilience::budget::InvalidBudget>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct BudgetBuilder {
    name: Arc<str>,
    rule: Rule,
    metrics: Option<Metrics>,
}

impl BudgetBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            rule: Rule::default(),
            metrics: None,
        }
    }

    /// How it decides. Default: [`Rule::deposits`] of 0.2 with 10 per second and a ttl of 10 s.
    pub const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Exports the budget's metrics. Without it nothing is counted.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the budget.
    ///
    /// # Errors
    ///
    /// [`InvalidBudget`] names the first knob that is out of its range, or the metrics that could not be registered.
    pub fn build(self) -> Result<Budget, InvalidBudget> {
        if !name::is_name(&self.name) {
            return Err(InvalidBudget::Name);
        }
        self.rule.check()?;
        Ok(Budget::new(self.name, self.rule, self.metrics.as_ref())?)
    }
}
