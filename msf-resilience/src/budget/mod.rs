//! A bound on additional calls, shared by retries and hedges.
//!
//! When a callee fails, every caller that makes each call three times turns an overload into a collapse. A budget bounds
//! the additional calls by the calls themselves: in good times nobody notices it, in an outage the load grows by a
//! fifth instead of threefold.
//!
//! | rule | additional calls | from | when |
//! |---|---|---|---|
//! | [`Rule::deposits`] (default) | 20 % of the calls of the last 10 s, and 10 per second | Finagle | most callers; the one whose bound is easiest to state |
//! | [`Rule::concurrency`] | 20 % of the calls in flight, at least 3 | Envoy | calls of very different lengths |
//! | [`Rule::quota`] | 500 tokens; 14 after a transient failure, 5 after a throttled one, back on success | AWS SDKs | few calls per second, long quiet times |
//!
//! ```
//! use msf_resilience::budget::{Budget, Rule};
//!
//! let budget = Budget::builder("payment").rule(Rule::concurrency(0.2, 1)).build()?;
//!
//! let call = budget.deposit();                       // with each call
//! let retry = budget.try_withdraw().expect("the minimum");
//! assert!(budget.try_withdraw().is_none());          // one at a time
//! drop((retry, call));                               // they have ended
//! assert!(budget.try_withdraw().is_some());
//! # Ok::<(), msf_resilience::budget::InvalidBudget>(())
//! ```
//!
//! # Exactness
//!
//! Ratios are counted in ten-thousandths. *Deposits*: the withdrawals of a window, which is the current tenth of the ttl and the nine
//! before it, are never more than its reserve and the ratio of its deposits. *Concurrency*: after a withdrawal, those in
//! flight are at most the share of the calls that were in flight at a moment while it was asked for. *Quota*: tokens are neither
//! lost nor made. Any number of threads changes none of this.
//!
//! # Cancel safety
//!
//! Dropping a [`Deposit`] or a [`Withdrawal`] ends it. What an additional call that was made has taken from a budget of deposits or
//! tokens stays taken when it is dropped; what one takes that is never made can be [given back](Withdrawal::give_back).
//!
//! # Metrics
//!
//! `msf_budget_available` and `msf_budget_withdrawals_total`, if [`metrics`](BudgetBuilder::metrics) is given.

mod builder;
mod class;
mod error;
mod guard;
mod handle;
mod in_flight;
pub(crate) mod metrics;
mod quota;
mod rule;
mod slots;
mod sync;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use self::handle::WeakBudget;
pub use self::{
    builder::BudgetBuilder,
    class::Class,
    error::{BudgetExhausted, InvalidBudget},
    guard::{Deposit, Withdrawal},
    handle::Budget,
    rule::Rule,
};
