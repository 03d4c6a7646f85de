//! The knobs, their defaults and their checks.

use std::{sync::Arc, time::Duration};

use http::Method;
use msf_core::{backoff::Backoff, metrics::Metrics};
use serde::{Deserialize, Serialize};

use super::{
    config::Config,
    decision::Waits,
    error::InvalidRetryPolicy,
    methods::Methods,
    policy::{Knobs, RetryPolicy},
};
use crate::{
    budget::{Budget, Rule},
    name,
};

/// Sets up a [`RetryPolicy`]; the defaults are in the [module documentation](super).
///
/// ```
/// use std::time::Duration;
/// use msf_core::backoff::{Backoff, Jitter};
/// use msf_resilience::retry::RetryPolicy;
///
/// let fast = Backoff::exponential(Duration::from_millis(5), Duration::from_millis(50))?;
/// let policy = RetryPolicy::builder("inventory")
///     .max_attempts(4)
///     .transient(fast.jitter(Jitter::Equal))
///     .build()?;
/// assert_eq!(policy.max_attempts(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct RetryPolicyBuilder {
    name: Arc<str>,
    max_attempts: u32,
    methods: Result<Methods, Box<str>>,
    body_limit: usize,
    track_hosts: bool,
    waits: Waits,
    budget: Source,
    metrics: Option<Metrics>,
}

/// What a caller gets when a call failed and the budget allows no retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exhausted {
    /// The last answer or error, as if there were no retries.
    #[default]
    LastAnswer,
    /// [`Error::BudgetExhausted`](super::Error::BudgetExhausted), or a 503 with the code `retry_budget_exhausted`: callers that retry themselves can tell
    /// that this is no time for it.
    Refuse,
}

/// Where the budget of a policy comes from.
#[derive(Clone, Debug)]
enum Source {
    Own(Rule),
    Shared(Budget),
    None,
}

impl RetryPolicyBuilder {
    pub(super) fn from_config(name: Arc<str>, config: &Config) -> Result<Self, InvalidRetryPolicy> {
        let backoff = |waits: &super::config::Waits, class| {
            let backoff = waits.backoff();
            backoff.map_err(|source| InvalidRetryPolicy::Backoff { class, source })
        };
        let waits = Waits {
            transient: backoff(&config.transient, "transient")?,
            throttled: backoff(&config.throttled, "throttled")?,
            retry_after_max: config.retry_after_max,
            exhausted: config.exhausted,
        };
        let builder = Self {
            name,
            max_attempts: config.max_attempts,
            methods: Ok(Methods::IDEMPOTENT),
            body_limit: config.body_limit,
            track_hosts: config.track_hosts,
            waits,
            budget: Source::Own(config.budget),
            metrics: None,
        };
        let Some(names) = &config.methods else {
            return Ok(builder);
        };
        let methods = names.iter().map(|name| {
            Method::from_bytes(name.as_bytes())
                .map_err(|_| InvalidRetryPolicy::Method(name.as_str().into()))
        });
        Ok(builder.methods(methods.collect::<Result<Vec<_>, _>>()?))
    }

    /// All attempts of a call, the first included: 1 to 100. Default 3.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The waits after transient failures. Default 50 ms to 20 s, full jitter.
    pub const fn transient(mut self, backoff: Backoff) -> Self {
        self.waits.transient = backoff;
        self
    }

    /// The waits after throttled calls. Default 1 s to 20 s, full jitter.
    pub const fn throttled(mut self, backoff: Backoff) -> Self {
        self.waits.throttled = backoff;
        self
    }

    /// The longest `Retry-After` that is waited for, at most a day; after a longer one the answer is given at once.
    /// Default 20 s.
    pub const fn retry_after_max(mut self, wait: Duration) -> Self {
        self.waits.retry_after_max = wait;
        self
    }

    /// The methods whose requests may be repeated without an `Idempotency-Key`. Default [`Methods::IDEMPOTENT`].
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().try_fold(Methods::NONE, |set, method| {
            set.with(&method).ok_or_else(|| method.as_str().into())
        });
        self
    }

    /// How many bytes of a request's body are kept, at most 64 MiB; a request with a longer one is made once.
    /// Default [`DEFAULT_LIMIT`](crate::replay::DEFAULT_LIMIT).
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Whether attempts remember their hosts, so that the next one avoids them: see [`Attempt`](crate::Attempt). It costs a few
    /// allocations per call. Default no.
    pub const fn track_hosts(mut self, track: bool) -> Self {
        self.track_hosts = track;
        self
    }

    /// A budget that is shared with other policies or with hedging. Default: one of the policy's own, with the default
    /// [`Rule`].
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Source::Shared(budget.clone());
        self
    }

    /// The rule of the policy's own budget.
    pub fn budget_rule(mut self, rule: Rule) -> Self {
        self.budget = Source::Own(rule);
        self
    }

    /// No budget at all: in an outage every call is made [`max_attempts`](Self::max_attempts) times.
    ///
    /// For calls that are few by nature, such as connecting at the start of a program.
    pub fn danger_without_budget(mut self) -> Self {
        self.budget = Source::None;
        self
    }

    /// What a caller gets when the budget is used up. Default [`Exhausted::LastAnswer`].
    pub const fn exhausted(mut self, exhausted: Exhausted) -> Self {
        self.waits.exhausted = exhausted;
        self
    }

    /// Exports the metrics of the policy and of its own budget. Without it nothing is counted.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Checks everything and makes the policy.
    ///
    /// # Errors
    ///
    /// [`InvalidRetryPolicy`] names the first knob that is out of its range, or the metrics that could not be
    /// registered.
    pub fn build(self) -> Result<RetryPolicy, InvalidRetryPolicy> {
        let knobs = self.knobs()?;
        let metrics = self.metrics.as_ref();
        let owns_budget = self.own_rule().is_some();
        let budget = match self.budget {
            Source::Own(rule) => {
                let budget = Budget::builder(Arc::clone(&self.name)).rule(rule);
                let budget = match metrics {
                    Some(metrics) => budget.metrics(metrics),
                    None => budget,
                };
                Some(budget.build()?)
            }
            Source::Shared(budget) => Some(budget),
            Source::None => None,
        };
        Ok(RetryPolicy::new(
            self.name,
            &knobs,
            budget,
            owns_budget,
            metrics,
        )?)
    }

    /// Checks everything without making anything.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), but for the metrics.
    pub fn check(&self) -> Result<(), InvalidRetryPolicy> {
        self.knobs()?;
        match self.own_rule() {
            Some(rule) => Ok(rule.check()?),
            None => Ok(()),
        }
    }

    /// The rule for the policy's own budget, if it is to have one.
    pub(super) const fn own_rule(&self) -> Option<Rule> {
        match &self.budget {
            Source::Own(rule) => Some(*rule),
            Source::Shared(_) | Source::None => None,
        }
    }

    pub(super) fn knobs(&self) -> Result<Knobs, InvalidRetryPolicy> {
        if !name::is_name(&self.name) {
            return Err(InvalidRetryPolicy::Name);
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.max_attempts) {
            return Err(InvalidRetryPolicy::MaxAttempts(self.max_attempts));
        }
        if self.waits.retry_after_max > RETRY_AFTER_MAX {
            return Err(InvalidRetryPolicy::RetryAfterMax(
                self.waits.retry_after_max,
            ));
        }
        if self.body_limit > BODY_LIMIT_MAX {
            return Err(InvalidRetryPolicy::BodyLimit(self.body_limit));
        }
        Ok(Knobs {
            max_attempts: self.max_attempts,
            methods: self.methods.clone().map_err(InvalidRetryPolicy::Method)?,
            body_limit: self.body_limit,
            track_hosts: self.track_hosts,
            waits: self.waits,
        })
    }
}

const ATTEMPTS_MAX: u32 = 100;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);
const BODY_LIMIT_MAX: usize = 64 * 1024 * 1024;
