//! One call with its attempts.

use std::{fmt, sync::Arc, time::Duration};

use msf_core::{
    classify::{Classification, Verdict},
    deadline::Deadline,
};

use super::{
    builder::Exhausted,
    decision::{GiveUp, Pace, retryable},
    policy::Core,
};
use crate::budget::{BudgetExhausted, Class, Deposit, WeakBudget, Withdrawal};

/// One call under a [`RetryPolicy`](super::RetryPolicy), made by [`begin`](super::RetryPolicy::begin); its first attempt is under way.
///
/// Keep it until the call has ended: what it holds of the budget ends with it. An attempt that [`after`](Self::after)
/// has allowed is charged, whether it is made or not.
#[must_use = "a call says after each attempt what to do"]
pub struct Call {
    policy: Arc<Core>,
    attempts: u32,
    pace: Option<Pace>,
    deposit: Option<Deposit>,
    withdrawal: Option<Withdrawal>,
    /// The failure before an attempt that is allowed and not yet made.
    allowed: Option<Class>,
    refusal: Option<BudgetExhausted>,
}

impl Call {
    pub(super) const fn new(policy: Arc<Core>, deposit: Deposit) -> Self {
        Self {
            policy,
            attempts: 1,
            pace: None,
            deposit: Some(deposit),
            withdrawal: None,
            allowed: None,
            refusal: None,
        }
    }

    /// Says what an attempt came to. `Ok` is the wait before the next one, which is under way from then on.
    ///
    /// # Errors
    ///
    /// [`GiveUp`] says why there is no other attempt.
    pub fn after(
        &mut self,
        outcome: &Classification,
        deadline: Option<Deadline>,
    ) -> Result<Duration, GiveUp> {
        let wait = self.allow(outcome, deadline)?;
        self.begin_attempt();
        Ok(wait)
    }

    /// As [`after`](Self::after), but the next attempt is under way only after [`begin_attempt`](Self::begin_attempt):
    /// until then it is neither counted nor, if the call is dropped, charged.
    ///
    /// # Errors
    ///
    /// As [`after`](Self::after).
    pub fn allow(
        &mut self,
        outcome: &Classification,
        deadline: Option<Deadline>,
    ) -> Result<Duration, GiveUp> {
        let decision = self.decide(outcome, deadline);
        if let (Some(metrics), Err(reason)) = (&self.policy.metrics, &decision) {
            metrics.count_give_up(*reason);
        }
        decision
    }

    /// The attempt that was [allowed](Self::allow) is made now.
    pub fn begin_attempt(&mut self) {
        if let Some(class) = self.allowed.take() {
            self.attempts += 1;
            if let Some(metrics) = &self.policy.metrics {
                metrics.count_retry(class);
            }
        }
    }

    /// How many attempts there were, the one under way included.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The error to end with after [`GiveUp::Budget`], if the policy is to [refuse](Exhausted::Refuse) then.
    #[must_use]
    pub fn refusal(&self) -> Option<BudgetExhausted> {
        self.refusal.clone()
    }

    /// Whether the policy has another attempt for a call that fails.
    #[must_use]
    pub fn has_attempts(&self) -> bool {
        self.attempts < self.policy.max_attempts()
    }

    /// Counts that the call failed and cannot be made again, whatever the policy says.
    pub fn not_repeatable(&self) {
        if let Some(metrics) = &self.policy.metrics {
            metrics.count_give_up(GiveUp::NotRepeatable);
        }
    }

    fn decide(
        &mut self,
        outcome: &Classification,
        deadline: Option<Deadline>,
    ) -> Result<Duration, GiveUp> {
        // The attempt has ended, whatever comes next.
        let withdrawal = self.withdrawal.take();
        let Some(class) = retryable(outcome) else {
            if outcome.verdict == Verdict::Success {
                match (withdrawal, self.deposit.take()) {
                    (Some(withdrawal), _) => withdrawal.succeeded(),
                    (None, Some(deposit)) => deposit.succeeded(),
                    (None, None) => {}
                }
            } else if outcome.hint.refused
                && let Some(withdrawal) = withdrawal
            {
                // It did not reach the callee.
                withdrawal.give_back();
            }
            return Err(GiveUp::Final);
        };
        drop(withdrawal);
        if !self.has_attempts() {
            return Err(GiveUp::Attempts);
        }
        let waits = self.policy.waits();
        let pace = self.pace.get_or_insert_with(|| Pace::new(&waits));
        let left = deadline.map(Deadline::remaining);
        let wait = pace.wait(class, outcome.hint.retry_after, left)?;
        // Last, so that a retry that is not made is not paid. A budget that died with its policy bounds nothing any more.
        if let Some(budget) = self.policy.budget.as_ref().and_then(WeakBudget::upgrade) {
            self.withdrawal = budget.try_withdraw_for(class);
            if self.withdrawal.is_none() {
                self.refusal = (waits.exhausted == Exhausted::Refuse).then(|| budget.exhausted());
                return Err(GiveUp::Budget);
            }
        }
        self.allowed = Some(class);
        Ok(wait)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.allowed.is_some()
            && let Some(withdrawal) = self.withdrawal.take()
        {
            withdrawal.give_back();
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("policy", &self.policy.name)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
