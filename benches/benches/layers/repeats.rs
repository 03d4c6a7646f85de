//! Retries and hedges that have nothing to repeat: the first attempt succeeds at once.

use std::{
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use msf_core::BoxError;
use msf_resilience::{
    hedge::{HedgeLayer, HedgePolicy},
    retry::{RetryLayer, RetryPolicy},
};
use seatbelt::{RecoveryInfo, ResilienceContext, hedging::Hedging, retry::Retry};
use tick::Clock;
use tower::{
    Layer,
    hedge::Hedge,
    retry::{
        Policy, RetryLayer as TowerRetry,
        budget::{Budget, TpsBudget},
    },
};
use tower_resilience::{
    hedge::HedgeLayer as TowerResilienceHedge, retry::RetryLayer as TowerResilienceRetry,
};

use crate::{
    Bare, SECOND,
    calls::{Answers, Failed},
    runner, service,
    table::Table,
};

const ATTEMPTS: u32 = 3;

pub(crate) fn rows(table: &mut Table, bare: Bare) -> Result<(), BoxError> {
    table.heading("retry, the first attempt succeeds");
    let policy = RetryPolicy::builder("budget").build()?;
    let layer = RetryLayer::cloning(policy).classify(crate::breakers::judge);
    service(
        table,
        bare.at_once,
        "msf, with its budget",
        layer.layer(Answers),
    )
    .target(10.0, 10.0);
    let policy = RetryPolicy::builder("no-budget")
        .danger_without_budget()
        .build()?;
    let layer = RetryLayer::cloning(policy).classify(crate::breakers::judge);
    service(table, bare.at_once, "msf, no budget", layer.layer(Answers));
    let layer = TowerRetry::new(Attempts::default());
    service(
        table,
        bare.at_once,
        "tower, no budget",
        layer.layer(Answers),
    );
    let budget = Arc::new(TpsBudget::default());
    let layer = TowerRetry::new(Attempts {
        left: ATTEMPTS,
        budget: Some(budget),
    });
    service(
        table,
        bare.at_once,
        "tower, TpsBudget",
        layer.layer(Answers),
    );
    let layer = TowerResilienceRetry::<u64, u64, Failed>::builder()
        .max_attempts(ATTEMPTS as usize)
        .exponential_backoff(SECOND)
        .build();
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = Retry::layer("retry", &context)
        .clone_input()
        .recovery_with(|outcome, _| judge(outcome))
        .max_retry_attempts(ATTEMPTS - 1);
    service(table, bare.at_once, "seatbelt, tower", layer.layer(Answers));

    table.heading("hedge, the first attempt answers at once");
    let policy = HedgePolicy::builder("after").after(SECOND).build()?;
    let layer =
        HedgeLayer::new(policy, |request: &u64| Some(*request)).classify(crate::breakers::judge);
    service(
        table,
        bare.at_once,
        "msf, after a fixed time",
        layer.layer(Answers),
    );
    let policy = HedgePolicy::builder("quantile")
        .after_quantile(0.9)
        .build()?;
    let layer =
        HedgeLayer::new(policy, |request: &u64| Some(*request)).classify(crate::breakers::judge);
    service(
        table,
        bare.at_once,
        "msf, after a quantile",
        layer.layer(Answers),
    );
    let hedge = Hedge::new(Answers, Always, 10, 0.9, Duration::from_secs(60));
    table.runners(
        "tower (cannot be shared)",
        Some(bare.at_once),
        runner(hedge),
        None,
    );
    let layer = TowerResilienceHedge::builder()
        .delay(SECOND)
        .max_hedged_attempts(2)
        .build();
    service(
        table,
        bare.at_once,
        "tower-resilience",
        layer.layer(Answers),
    );
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = Hedging::layer("hedge", &context)
        .clone_input()
        .recovery_with(|outcome, _| judge(outcome))
        .hedging_delay(SECOND);
    service(table, bare.at_once, "seatbelt, tower", layer.layer(Answers));
    Ok(())
}

fn judge(outcome: &Result<u64, Failed>) -> RecoveryInfo {
    match outcome {
        Ok(_) => RecoveryInfo::never(),
        Err(_) => RecoveryInfo::retry(),
    }
}

/// A policy of tower's: so many attempts, and a budget of it if there is one.
#[derive(Clone, Debug)]
struct Attempts {
    left: u32,
    budget: Option<Arc<TpsBudget>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            left: ATTEMPTS,
            budget: None,
        }
    }
}

impl Policy<u64, u64, Failed> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, outcome: &mut Result<u64, Failed>) -> Option<Ready<()>> {
        if outcome.is_ok() {
            if let Some(budget) = &self.budget {
                budget.deposit();
            }
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let may = self.budget.as_ref().is_none_or(|budget| budget.withdraw());
        may.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

#[derive(Clone, Copy, Debug)]
struct Always;

impl tower::hedge::Policy<u64> for Always {
    fn clone_request(&self, request: &u64) -> Option<u64> {
        Some(*request)
    }

    fn can_retry(&self, _: &u64) -> bool {
        true
    }
}
