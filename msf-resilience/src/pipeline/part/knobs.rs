//! Which setting of its section an error is about.

use super::Knob;
use crate::{
    adaptive::{InvalidAdaptiveLimit, InvalidLimit},
    bulkhead::InvalidBulkhead,
    circuit_breaker::InvalidCircuitBreaker,
    hedge::InvalidHedge,
    load_shed::InvalidLoadShed,
    rate_limit::InvalidRateLimiter,
    retry::InvalidRetryPolicy,
};

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

impl Knob for InvalidRateLimiter {
    fn knob(&self) -> &'static str {
        match self {
            Self::NoRequests | Self::Period(_) | Self::Burst(_) | Self::Limits(_) => "limits",
            Self::MaxKeys(_) => "max_keys",
            Self::Name | Self::SameName(_) | Self::Metrics(_) => "",
        }
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
