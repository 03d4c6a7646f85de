//! Why a budget could not be, and what to say when one is used up.

use std::{sync::Arc, time::Duration};

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};

/// A budget that could not work as it was asked to.
///
/// ```
/// use msf_resilience::budget::{Budget, InvalidBudget, Rule};
///
/// let error = Budget::builder("payment").rule(Rule::concurrency(20.0, 3)).build().unwrap_err();
/// assert_eq!(error, InvalidBudget::Ratio(20.0));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBudget {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a budget must be 1 to 128 bytes without control characters")]
    Name,
    /// The ratio is no share of the calls.
    #[error("the ratio of a budget must be from 0 to 10, not {0}")]
    Ratio(f64),
    /// What is always allowed is no bound any more.
    #[error("what a budget always allows must be at most 1000000, not {0}")]
    Min(u32),
    /// Neither the ratio nor the minimum allows anything.
    #[error(
        "a budget must have a ratio or a minimum above 0; to make no additional calls, allow one attempt"
    )]
    Nothing,
    /// The time that calls count is too short to have buckets, or longer than its counts last.
    #[error("the ttl of a budget must be from 100 ms to 10 min, not {0:?}")]
    Ttl(Duration),
    /// No tokens, or more than are counted.
    #[error("the capacity of a budget must be 1 to 1000000000, not {0}")]
    Capacity(u32),
    /// A call that is free, or that could never be paid.
    #[error("the costs of a budget must be 1 to its capacity of {capacity}, not {cost}")]
    Cost {
        /// The cost that was given.
        cost: u32,
        /// The capacity that was given.
        capacity: u32,
    },
    /// The kind of the rule, or its ttl, cannot be changed while the budget lives.
    #[error("the kind and the ttl of a budget cannot be changed; build a new one")]
    Fixed,
    /// The metrics could not be registered.
    #[error("the metrics of the budget could not be registered")]
    Metrics(#[from] MetricsError),
}

/// A budget allows no additional call now.
///
/// It turns into a [`Problem`] with the code `retry_budget_exhausted`, status 503. The budget's name goes to the
/// log only.
///
/// ```
/// use msf_core::problem::Problem;
/// use msf_resilience::budget::{Budget, Rule};
///
/// let budget = Budget::builder("payment").rule(Rule::concurrency(0.2, 1)).build()?;
/// let _running = budget.try_withdraw().ok_or("one is allowed")?;
/// assert!(budget.try_withdraw().is_none());
/// let exhausted = budget.exhausted();
/// assert_eq!(exhausted.name(), "payment");
/// assert_eq!(Problem::from(exhausted).status(), 503);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the budget `{name}` allows no additional call now")]
pub struct BudgetExhausted {
    name: Arc<str>,
}

impl BudgetExhausted {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self { name }
    }

    /// The budget that refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<BudgetExhausted> for Problem {
    fn from(error: BudgetExhausted) -> Self {
        Self::new(Code::RetryBudgetExhausted).with_log_detail(error.to_string())
    }
}
