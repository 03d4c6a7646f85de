//! What a pipeline asks of its parts: to be made of a configuration, and to take another one while they run.

use std::{fmt, sync::Arc};

use msf_core::metrics::Metrics;

use super::invalid::Findings;
use crate::{
    bulkhead::{self, Bulkhead, InvalidBulkhead},
    circuit_breaker::{self, CircuitBreaker, InvalidCircuitBreaker},
    rate_limit::{self, DirectLimiter, InvalidRateLimiter, Limits, RateLimiter},
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

/// The part that was given, or the one that the section describes.
pub(super) fn make<P: Part>(
    key: &str,
    given: Option<P>,
    section: Option<&P::Config>,
    name: &Arc<str>,
    metrics: Option<&Metrics>,
    findings: &mut Findings,
) -> Option<P> {
    if given.is_some() {
        return given;
    }
    let section = section?;
    findings.check(key, P::make(name, section, metrics))
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
