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
    deadline::{self, DeadlineLayer},
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

/// The place of a part in a pipeline.
#[derive(Clone, Debug)]
pub(super) struct Place<P> {
    pub(super) part: Option<P>,
    /// Whether code gave it, who goes on looking after it.
    is_given: bool,
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
    ) -> Place<P> {
        let (name, metrics) = (self.name, self.metrics);
        self.make_by(key, given, section, |section| {
            P::make(name, section, metrics)
        })
    }

    /// As [`make`](Self::make), of a part that needs to know of another.
    pub(super) fn make_by<P: Part>(
        &mut self,
        key: &str,
        given: Option<P>,
        section: Option<&P::Config>,
        make: impl FnOnce(&P::Config) -> Result<P, P::Invalid>,
    ) -> Place<P> {
        let is_given = given.is_some();
        let part = given.or_else(|| self.findings.check(key, make(section?)));
        Place { part, is_given }
    }

    /// As [`make`](Self::make), of a part that is given by its section.
    pub(super) fn make_of<P: Part>(
        &mut self,
        key: &str,
        given: Option<&P::Config>,
        section: Option<&P::Config>,
    ) -> Place<P> {
        Place {
            is_given: given.is_some(),
            ..self.make(key, None, given.or(section))
        }
    }
}

impl<P> Place<P> {
    pub(super) const fn of(part: Option<P>, is_given: bool) -> Self {
        Self { part, is_given }
    }

    /// Whether there is a part that a section is for. One that comes or goes needs a restart.
    pub(super) fn check_presence(
        &self,
        key: &str,
        is_described: bool,
        findings: &mut Findings,
    ) -> bool {
        if self.is_given {
            return false;
        }
        match (self.part.is_some(), is_described) {
            (true, false) => {
                findings.report(key, "it is in use: to take it away needs a restart");
            }
            (false, true) => findings.report(key, "it is not in use: to add it needs a restart"),
            (true, true) | (false, false) => {}
        }
        self.part.is_some() && is_described
    }

    /// The part, if a configuration may change it.
    pub(super) fn described(&self) -> Option<&P> {
        self.part.as_ref().filter(|_| !self.is_given)
    }
}

impl<P: Part> Place<P> {
    /// Reports what of a section the running part could not take.
    pub(super) fn check(&self, key: &str, section: Option<&P::Config>, findings: &mut Findings) {
        if self.check_presence(key, section.is_some(), findings)
            && let (Some(part), Some(section)) = (&self.part, section)
        {
            // What cannot work at all need not be said to need a restart as well.
            if findings.check(key, part.check(section)).is_some()
                && let Some((knob, reason)) = part.fixed(section)
            {
                findings.report(format!("{key}.{knob}"), reason);
            }
        }
    }

    /// Gives the part a section that [`check`](Self::check) had nothing against.
    pub(super) fn apply(&self, key: &str, section: Option<&P::Config>, findings: &mut Findings) {
        if let (Some(part), Some(section)) = (self.described(), section) {
            findings.check(key, part.apply(section));
        }
    }
}

/// The total time of a call that a client makes.
#[derive(Clone, Debug)]
pub(super) struct Total(pub(super) DeadlineLayer);

impl Part for Total {
    type Config = Duration;
    type Invalid = InvalidTime;

    fn make(
        name: &Arc<str>,
        total: &Duration,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidTime> {
        let layer = DeadlineLayer::new().max(InvalidTime::check(*total)?);
        match metrics {
            Some(metrics) => Ok(Self(layer.metrics(metrics, name)?)),
            None => Ok(Self(layer)),
        }
    }

    fn check(&self, total: &Duration) -> Result<(), InvalidTime> {
        InvalidTime::check(*total).map(drop)
    }

    fn apply(&self, total: &Duration) -> Result<(), InvalidTime> {
        self.0.reconfigure(None, Some(*total));
        Ok(())
    }
}

/// The deadlines that requests bring to a server.
impl Part for DeadlineLayer {
    type Config = deadline::Config;
    type Invalid = InvalidDeadline;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, InvalidDeadline> {
        let layer = Self::new().config(InvalidDeadline::check(config)?);
        match metrics {
            Some(metrics) => Ok(layer.metrics(metrics, name)?),
            None => Ok(layer),
        }
    }

    fn check(&self, config: &Self::Config) -> Result<(), InvalidDeadline> {
        InvalidDeadline::check(config).map(drop)
    }

    fn apply(&self, config: &Self::Config) -> Result<(), InvalidDeadline> {
        self.reconfigure(config.default, config.max);
        Ok(())
    }
}

/// What is wrong with the deadlines of a server.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidDeadline {
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Default(Duration),
    #[error("the time must be more than zero and at most a day, not {0:?}")]
    Max(Duration),
    #[error("the default must not be longer than the maximum, {0:?}")]
    Order(Duration),
    #[error("the metrics could not be registered: {0}")]
    Metrics(#[from] MetricsError),
}

impl InvalidDeadline {
    fn check(config: &deadline::Config) -> Result<&deadline::Config, Self> {
        if let Some(time) = config.default {
            InvalidTime::check(time).map_err(|_| Self::Default(time))?;
        }
        if let Some(time) = config.max {
            InvalidTime::check(time).map_err(|_| Self::Max(time))?;
            if config.default > Some(time) {
                return Err(Self::Order(time));
            }
        }
        Ok(config)
    }
}

impl Knob for InvalidDeadline {
    fn knob(&self) -> &'static str {
        match self {
            Self::Default(_) | Self::Order(_) => "default",
            Self::Max(_) => "max",
            Self::Metrics(_) => "",
        }
    }
}

/// The time of an attempt.
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
        self.reconfigure(Self::builder(self.name()).config(config))
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
        Self::from_config(self.name().to_owned(), config)?.check()
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
            // Of breakers by key, which a pipeline has none of.
            Self::MaxKeys(_) | Self::IdleAfter(_) | Self::Name | Self::Metrics(_) => "",
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
        self.reconfigure(Self::from_config(self.name(), config)?)
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
        self.reconfigure(Self::builder(self.name()).config(config))
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
