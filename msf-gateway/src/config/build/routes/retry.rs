//! Calls that are made more than once.

use std::time::Duration;

use msf_core::backoff::Backoff;
use msf_resilience::{
    budget::Rule,
    hedge::{HedgeBuilder, HedgePolicy},
    retry::{RetryPolicy, RetryPolicyBuilder},
};

use super::super::{headers::methods, report::Report};
use crate::{
    config::{HedgeConfig, RetryConfig},
    route::Route,
};

/// A route whose calls are tried again.
pub(super) fn retried(
    mut route: Route,
    config: &RetryConfig,
    at: &str,
    report: &mut Report,
) -> Route {
    if let Some(timeout) = config.attempt_timeout {
        route = route.attempt_timeout(timeout.get());
    }
    let waits = match (config.wait, config.wait_max) {
        (None, None) => None,
        (base, max) => {
            let base = base.map_or(RETRY_WAIT, |base| base.get());
            let max = max.map_or(RETRY_WAIT_MAX, |max| max.get());
            report.check(format!("{at}.wait"), Backoff::exponential(base, max))
        }
    };
    let (attempts, body_limit) = (config.attempts, config.body_limit);
    let repeated = methods(&config.methods, &format!("{at}.methods"), report);
    let (wait_max, budget) = (config.retry_after_max, config.budget);
    let change = move |mut policy: RetryPolicyBuilder| {
        if !repeated.is_empty() {
            policy = policy.methods(repeated.iter().cloned());
        }
        if let Some(wait) = wait_max {
            policy = policy.retry_after_max(wait.get());
        }
        if let Some(ratio) = budget {
            policy = policy.budget_rule(Rule::deposits(ratio, BUDGET_MIN, BUDGET_TTL));
        }
        if let Some(attempts) = attempts {
            policy = policy.max_attempts(attempts);
        }
        if let Some(waits) = waits {
            policy = policy.transient(waits);
        }
        if let Some(bytes) = body_limit {
            policy = policy.body_limit(bytes.get());
        }
        policy
    };
    report.check(at, change(RetryPolicy::builder("check")).check());
    route.retry(change)
}

/// A route whose slow calls get another attempt beside them.
pub(super) fn hedged(route: Route, config: &HedgeConfig, at: &str, report: &mut Report) -> Route {
    let (after, quantile, attempts) = (config.after, config.quantile, config.attempts);
    let (samples, delay, window) = (config.min_samples, config.min_delay, config.window);
    if after.is_some() && quantile.is_some() {
        report.at(format!("{at}.quantile"), "cannot stand beside `after`");
    }
    for (key, is_set) in [
        ("min_samples", samples.is_some()),
        ("min_delay", delay.is_some()),
        ("window", window.is_some()),
    ] {
        if after.is_some() && is_set {
            report.hint(
                format!("{at}.{key}"),
                "is of no effect beside `after`",
                "set `quantile` instead of `after`, or leave this out",
            );
        }
    }
    let change = move |mut policy: HedgeBuilder| {
        if let Some(quantile) = quantile {
            policy = policy.after_quantile(quantile);
        }
        if let Some(after) = after {
            policy = policy.after(after.get());
        }
        if let Some(attempts) = attempts {
            policy = policy.max_hedges(attempts);
        }
        if let Some(samples) = samples {
            policy = policy.min_samples(samples);
        }
        if let Some(delay) = delay {
            policy = policy.min_delay(delay.get());
        }
        if let Some(window) = window {
            policy = policy.window(window.get());
        }
        policy
    };
    report.check(at, change(HedgePolicy::builder("check")).check());
    route.hedge(change)
}

/// The defaults of a policy, for whoever sets one of the two.
const RETRY_WAIT: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(20);
/// The rest of the default rule of a budget.
const BUDGET_MIN: u32 = 10;
const BUDGET_TTL: Duration = Duration::from_secs(10);
