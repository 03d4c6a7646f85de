//! Parts that are policies.

use std::{mem, sync::Arc};

use msf_core::metrics::Metrics;

use super::Part;
use crate::{
    adaptive::{self, AdaptiveLimit, InvalidAdaptiveLimit},
    budget::Rule,
    bulkhead::{self, Bulkhead, InvalidBulkhead},
    circuit_breaker::{self, CircuitBreaker, InvalidCircuitBreaker},
    hedge::{self, HedgePolicy, InvalidHedge},
    rate_limit::{self, DirectLimiter, InvalidRateLimiter, Limits, RateLimiter},
    retry::{self, InvalidRetryPolicy, RetryPolicy},
};

/// Implements [`Part`] for a policy whose builder takes its section, and that takes another builder over.
macro_rules! described_by_builder {
    ($($policy:ty: $config:ty, $invalid:ty;)+) => {$(
        impl Part for $policy {
            type Config = $config;
            type Invalid = $invalid;

            fn make(
                name: &Arc<str>,
                config: &Self::Config,
                metrics: Option<&Metrics>,
            ) -> Result<Self, Self::Invalid> {
                let builder = Self::builder(Arc::clone(name)).config(config);
                match metrics {
                    Some(metrics) => builder.metrics(metrics).build(),
                    None => builder.build(),
                }
            }

            fn check(&self, config: &Self::Config) -> Result<(), Self::Invalid> {
                Self::builder(self.name()).config(config).check()
            }

            fn apply(&self, config: &Self::Config) -> Result<(), Self::Invalid> {
                self.reconfigure(Self::builder(self.name()).config(config))
            }
        }
    )+};
}

described_by_builder! {
    AdaptiveLimit: adaptive::Config, InvalidAdaptiveLimit;
    Bulkhead: bulkhead::Config, InvalidBulkhead;
    CircuitBreaker: circuit_breaker::Config, InvalidCircuitBreaker;
    HedgePolicy: hedge::Config, InvalidHedge;
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
