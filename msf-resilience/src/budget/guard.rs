//! What calls hold of a budget while they run.

use std::sync::Arc;

use super::{in_flight::InFlight, quota::Quota, slots, window::Window};

/// A call that has been counted; made by [`Budget::deposit`](super::Budget::deposit).
///
/// Keep it until the call, with all its additional calls, has ended: for a [concurrency](super::Rule::concurrency) budget
/// the call is in flight until it is dropped. It counts nothing in the other budgets, and points into memory that
/// outlives every budget: no reference is counted.
#[derive(Debug)]
#[must_use = "the call counts as in flight until the deposit is dropped"]
pub struct Deposit {
    hold: Hold,
}

/// The right to make one additional call; made by [`Budget::try_withdraw`](super::Budget::try_withdraw).
///
/// Keep it until that call has ended: for a [concurrency](super::Rule::concurrency) budget it is in flight until it is
/// dropped. What was taken from another budget stays taken, unless it is [given back](Self::give_back).
#[derive(Debug)]
#[must_use = "the additional call counts as ended when the withdrawal is dropped"]
pub struct Withdrawal {
    taken: Taken,
}

/// What a withdrawal took.
#[derive(Debug)]
pub(super) enum Taken {
    Window {
        window: Arc<Window>,
        tick: u64,
    },
    InFlight(&'static InFlight),
    Quota {
        quota: &'static Quota,
        generation: u32,
        cost: u32,
    },
}

#[derive(Debug)]
pub(super) enum Hold {
    /// Nothing to do at the end.
    Nothing,
    InFlight(&'static InFlight),
    Quota {
        quota: &'static Quota,
        generation: u32,
    },
}

impl Deposit {
    pub(super) const fn new(hold: Hold) -> Self {
        Self { hold }
    }

    /// A deposit of no budget, for calls that are not counted.
    pub const fn none() -> Self {
        Self::new(Hold::Nothing)
    }

    /// The first attempt succeeded: a [quota](super::Rule::quota) gets a token back.
    #[inline]
    pub fn succeeded(self) {
        if let Hold::Quota { quota, generation } = self.hold {
            quota.give(generation, 1);
        }
    }
}

impl Drop for Deposit {
    #[inline]
    fn drop(&mut self) {
        if let Hold::InFlight(in_flight) = self.hold
            && in_flight.end()
        {
            slots::IN_FLIGHT.give_back(in_flight);
        }
    }
}

impl Withdrawal {
    pub(super) const fn new(taken: Taken) -> Self {
        Self { taken }
    }

    /// The additional call succeeded: a [quota](super::Rule::quota) gets its tokens back.
    pub fn succeeded(self) {
        if let Taken::Quota {
            quota,
            generation,
            cost,
        } = self.taken
        {
            quota.give(generation, cost);
        }
    }

    /// The additional call was not made after all, or was refused before it reached the callee: the budget is as if it
    /// had not been asked.
    ///
    /// ```
    /// use msf_resilience::budget::{Budget, Rule};
    ///
    /// let budget = Budget::builder("payment").rule(Rule::quota(14, 14, 5)).build()?;
    /// budget.try_withdraw().expect("14 tokens").give_back();
    /// assert_eq!(budget.available(), 1);
    /// # Ok::<(), msf_resilience::budget::InvalidBudget>(())
    /// ```
    pub fn give_back(self) {
        match &self.taken {
            Taken::Window { window, tick } => window.give_back(*tick),
            // By its end.
            Taken::InFlight(_) => {}
            Taken::Quota {
                quota,
                generation,
                cost,
            } => quota.give(*generation, *cost),
        }
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let Taken::InFlight(in_flight) = self.taken
            && in_flight.end_additional()
        {
            slots::IN_FLIGHT.give_back(in_flight);
        }
    }
}
