//! What a pipeline asks of its parts: to be made of a configuration, and to take another one while they run.

use std::{fmt, mem, sync::Arc, time::Duration};

use msf_core::{
    deadline::Deadline,
    metrics::{Metrics, MetricsError},
};

use super::invalid::Findings;
use crate::{
    adaptive::{self, AdaptiveLimit, InvalidAdaptiveLimit, InvalidLimit},
    budget::Rule,
    bulkhead::{self, Bulkhead, InvalidBulkhead},
    circuit_breaker::{self, CircuitBreaker, InvalidCircuitBreaker},
    deadline::DeadlineLayer,
    hedge::{self, HedgePolicy, InvalidHedge},
    load_shed::InvalidLoadShed,
    rate_limit::{self, DirectLimiter, InvalidRateLimiter, Limits, RateLimiter},
    retry::{self, InvalidRetryPolicy, RetryPolicy},
    timeout::TimeoutLayer,
};

/// A policy that a section of a configuration describes.
pub(super) trait Part: Sized {
    type Config;
    type Invalid: Knob;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, Self::Invalid>;

    /// Whether `apply` would take it.
    fn check(&self, config: &Self::Config) -> Result<(), Self::Invalid>;

    /// A key of the section whose change needs a restart, and why; if it has changed.
    fn fixed(&self, _config: &Self::Config) -> Option<(&'static str, &'static str)> {
        None
    }

    fn apply(&self, config: &Self::Config) -> Result<(), Self::Invalid>;
}

/// The error of a part, which knows the setting at fault.
pub(super) trait Knob: fmt::Display {
    /// The setting by its key in the part's section; empty if it is none of them.
    fn knob(&self) -> &'static str;
}

/// Makes the parts of one pipeline.
pub(super) struct Making<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) metrics: Option<&'a Metrics>,
    pub(super) findings: &'a mut Findings,
}

impl Making<'_> {
    /// The part that was given, or the one that the section describes.
    pub(super) fn make<P: Part>(
        &mut self,
        key: &str,
        given: Option<P>,
        section: Option<&P::Config>,
    ) -> Option<P> {
        if given.is_some() {
            return given;
        }
        let made = P::make(self.name, section?, self.metrics);
        self.findings.check(key, made)
    }
}

/// Whether a running part could take a section; that it comes or goes needs a restart.
pub(super) fn check<P: Part>(
    key: &str,
    part: Option<&P>,
    section: Option<&P::Config>,
    findings: &mut Findings,
) {
    match (part, section) {
        (Some(part), Some(section)) => {
            findings.check(key, part.check(section));
            if let Some((knob, reason)) = part.fixed(section) {
                findings.report(format!("{key}.{knob}"), reason);
            }
        }
        (Some(_), None) => {
            findings.report(key, "cannot go while the pipeline runs; restart for it")
        }
        (None, Some(_)) => {
            findings.report(key, "cannot come while the pipeline runs; restart for it")
        }
        (None, None) => {}
    }
}

/// Gives a part the section that [`check`] has seen.
pub(super) fn apply<P: Part>(
    key: &str,
    part: Option<&P>,
    section: Option<&P::Config>,
    findings: &mut Findings,
) {
    if let (Some(part), Some(section)) = (part, section) {
        findings.check(key, part.apply(section));
    }
}

/// The total time of a call.
impl Part for DeadlineLayer {
    type Config = Duration;
    type Invalid = InvalidTime;

    fn make(
        name: &Arc<str>,
        total: &Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidTime> {
        let layer = Self::new().max(InvalidTime::check(*total)?);
        match metrics {
            Some(metrics) => Ok(layer.metrics(metrics, name)?),
            None => Ok(layer),
        }
    }

    fn check(&self, total: &Duration) -> Result<(), InvalidTime> {
        InvalidTime::check(*total).map(drop)
    }

    fn apply(&self, total: &Duration) -> Result<(), InvalidTime> {
        self.reconfigure(None, Some(*total));
        Ok(())
    }
}

impl Part for TimeoutLayer {
    type Config = Duration;
    type Invalid = InvalidTime;

    fn make(
        name: &Arc<str>,
        after: &Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidTime> {
        let layer = Self::new(InvalidTime::check(*after)?);
        match metrics {
            Some(metrics) => Ok(layer.metrics(metrics, name)?),
            None => Ok(layer),
        }
    }

    fn check(&self, after: &Duration) -> Result<(), InvalidTime> {
        InvalidTime::check(*after).map(drop)
    }

    fn apply(&self, after: &Duration) -> Result<(), InvalidTime> {
        self.reconfigure(*after);
        Ok(())
    }
}

/// What is wrong with a time that a pipeline sets.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidTime {
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Range(Duration),
    #[error("the metrics could not be registered: {0}")]
    Metrics(#[from] MetricsError),
}

impl InvalidTime {
    fn check(time: Duration) -> Result<Duration, Self> {
        if time.is_zero() || time > Deadline::MAX {
            return Err(Self::Range(time));
        }
        Ok(time)
    }
}

impl Knob for InvalidTime {
    fn knob(&self) -> &'static str {
        ""
    }
}

impl Part for AdaptiveLimit {
    type Config = adaptive::Config;
    type Invalid = InvalidAdaptiveLimit;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidAdaptiveLimit> {
        let builder = Self::builder(Arc::clone(name)).config(config);
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidAdaptiveLimit> {
        Self::builder(self.name()).config(config).check()
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidAdaptiveLimit> {
        self.reconfigure(Self::builder(self.name()).config(config))
    }
}

impl Knob for InvalidAdaptiveLimit {
    fn knob(&self) -> &'static str {
        match self {
            Self::Algorithm(InvalidLimit::Bounds { .. }) => "initial",
            Self::Algorithm(InvalidLimit::Knob { knob, .. }) => knob,
            Self::Window(_) => "window",
            Self::MinCalls(_) => "min_calls",
            Self::Name | Self::Metrics(_) => "",
        }
    }
}

impl Knob for InvalidLoadShed {
    fn knob(&self) -> &'static str {
        match self {
            Self::Threshold(_) => "threshold",
            Self::QueueWait(_) => "queue_wait",
            Self::Window(_) => "window",
            Self::RetryAfter(_) => "retry_after",
            Self::Name | Self::NoSignal | Self::Metrics(_) => "",
        }
    }
}

impl Part for Bulkhead {
    type Config = bulkhead::Config;
    type Invalid = InvalidBulkhead;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidBulkhead> {
        let builder = Self::builder(Arc::clone(name)).config(config);
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidBulkhead> {
        Self::builder(self.name()).config(config).check()
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidBulkhead> {
        self.reconfigure(&Self::builder(self.name()).config(config))
    }
}

impl Part for CircuitBreaker {
    type Config = circuit_breaker::Config;
    type Invalid = InvalidCircuitBreaker;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidCircuitBreaker> {
        let builder = Self::builder(Arc::clone(name)).config(config);
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidCircuitBreaker> {
        Self::builder(self.name()).config(config).check()
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidCircuitBreaker> {
        self.reconfigure(Self::builder(self.name()).config(config))
    }
}

impl Part for DirectLimiter {
    type Config = rate_limit::Config;
    type Invalid = InvalidRateLimiter;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidRateLimiter> {
        let builder = RateLimiter::from_config(name.to_string(), config)?;
        match metrics {
            Some(metrics) => builder.metrics(metrics).build_direct(),
            None => builder.build_direct(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidRateLimiter> {
        config.quotas().map(drop)
    }

    fn fixed(&self, config: &Self::Config) -> Option<(&'static str, &'static str)> {
        other_limits(&self.limits(), config)
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidRateLimiter> {
        self.set_limits(config.quotas()?)
    }
}

impl<K> Part for RateLimiter<K> {
    type Config = rate_limit::Config;
    type Invalid = InvalidRateLimiter;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidRateLimiter> {
        let builder = Self::from_config(name.to_string(), config)?;
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidRateLimiter> {
        config.quotas().map(drop)
    }

    fn fixed(&self, config: &Self::Config) -> Option<(&'static str, &'static str)> {
        other_limits(&self.limits(), config)
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidRateLimiter> {
        self.set_limits(config.quotas()?)
    }
}

fn other_limits(
    present: &Limits,
    config: &rate_limit::Config,
) -> Option<(&'static str, &'static str)> {
    (config.limits.len() != present.quotas().len())
        .then_some(("limits", "another number of limits needs a restart"))
}

impl Knob for InvalidCircuitBreaker {
    fn knob(&self) -> &'static str {
        match self {
            Self::FailureRate(_) => "failure_rate",
            Self::Window(_) => "window",
            Self::Slow { .. } => "slow",
            Self::Consecutive(_) => "consecutive_failures",
            Self::WindowCalls(_) => "window_calls",
            Self::MinCalls | Self::MinCallsAboveWindow { .. } => "min_calls",
            Self::CancelShare(_) => "cancel",
            Self::Ramp => "ramp",
            Self::OpenWait { .. } => "open_for",
            Self::Jitter(_) => "jitter",
            Self::HalfOpenPermits(_) => "half_open_permits",
            Self::HalfOpenMaxWait(_) => "half_open_max_wait",
            Self::Name | Self::Metrics(_) => "",
        }
    }
}

impl Knob for InvalidRateLimiter {
    fn knob(&self) -> &'static str {
        match self {
            Self::NoRequests | Self::Period(_) | Self::Burst(_) | Self::Limits(_) => "limits",
            Self::MaxKeys(_) => "max_keys",
            Self::Name | Self::SameName(_) | Self::Metrics(_) => "",
        }
    }
}

impl Part for RetryPolicy {
    type Config = retry::Config;
    type Invalid = InvalidRetryPolicy;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidRetryPolicy> {
        let builder = Self::from_config(Arc::clone(name), config)?;
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidRetryPolicy> {
        Self::from_config(self.name(), config)?.check()
    }

    fn fixed(&self, config: &Self::Config) -> Option<(&'static str, &'static str)> {
        let present = self.budget()?.rule();
        let is_same = match (present, config.budget) {
            (Rule::Deposits { ttl, .. }, Rule::Deposits { ttl: other, .. }) => ttl == other,
            (present, other) => mem::discriminant(&present) == mem::discriminant(&other),
        };
        (!is_same).then_some((
            "budget",
            "another kind of budget, or another ttl, needs a restart",
        ))
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidRetryPolicy> {
        self.reconfigure(&Self::from_config(self.name(), config)?)
    }
}

impl Knob for InvalidRetryPolicy {
    fn knob(&self) -> &'static str {
        match self {
            Self::MaxAttempts(_) => "max_attempts",
            Self::RetryAfterMax(_) => "retry_after_max",
            Self::BodyLimit(_) => "body_limit",
            Self::Method(_) => "methods",
            // `transient` or `throttled`, as in the section.
            Self::Backoff { class, .. } => class,
            Self::Budget(_) => "budget",
            Self::Name | Self::Metrics(_) => "",
        }
    }
}

impl Part for HedgePolicy {
    type Config = hedge::Config;
    type Invalid = InvalidHedge;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidHedge> {
        let builder = Self::builder(Arc::clone(name)).config(config);
        match metrics {
            Some(metrics) => builder.metrics(metrics).build(),
            None => builder.build(),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidHedge> {
        Self::builder(self.name()).config(config).check()
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidHedge> {
        self.reconfigure(&Self::builder(self.name()).config(config))
    }
}

impl Knob for InvalidHedge {
    fn knob(&self) -> &'static str {
        match self {
            Self::Delay(_) => "after",
            Self::Quantile(_) => "after_quantile",
            Self::MinSamples(_) => "min_samples",
            Self::MinDelay(_) => "min_delay",
            Self::Window(_) => "window",
            Self::MaxHedges(_) => "max_hedges",
            Self::Name | Self::Budget(_) | Self::Metrics(_) => "",
        }
    }
}

impl Knob for InvalidBulkhead {
    fn knob(&self) -> &'static str {
        match self {
            Self::MaxConcurrent(_) => "max_concurrent",
            Self::MaxWait(_) => "max_wait",
            Self::MaxQueue(_) => "max_queue",
            Self::Name | Self::Metrics(_) => "",
        }
    }
}
