//! What the list knows of a policy.

use serde::Serialize;

use super::{
    control::{Control, ControlError},
    snapshot::Snapshot,
};

/// A pattern of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// [`circuit_breaker`](crate::circuit_breaker).
    CircuitBreaker,
    /// [`rate_limit`](crate::rate_limit).
    RateLimit,
    /// [`bulkhead`](crate::bulkhead).
    Bulkhead,
    /// [`load_shed`](crate::load_shed).
    LoadShed,
    /// [`adaptive`](crate::adaptive).
    Adaptive,
    /// [`budget`](crate::budget) of retries and hedges.
    Budget,
    /// [`retry`](crate::retry).
    Retry,
    /// [`hedge`](crate::hedge).
    Hedge,
    /// [`coalesce`](crate::coalesce).
    Coalesce,
    /// [`fault`](crate::fault).
    Fault,
    /// [`fallback`](crate::fallback).
    Fallback,
}

impl Kind {
    /// `circuit_breaker`, `rate_limit` and so on: the word in paths, labels and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CircuitBreaker => "circuit_breaker",
            Self::RateLimit => "rate_limit",
            Self::Bulkhead => "bulkhead",
            Self::LoadShed => "load_shed",
            Self::Adaptive => "adaptive",
            Self::Budget => "budget",
            Self::Retry => "retry",
            Self::Hedge => "hedge",
            Self::Coalesce => "coalesce",
            Self::Fault => "fault",
            Self::Fallback => "fallback",
        }
    }
}

/// Implemented by what the handles of a policy share.
pub(crate) trait Policy: Send + Sync + 'static {
    fn snapshot(&self) -> Snapshot;

    /// Does what an operator asks. The default knows no controls.
    fn control(&self, control: Control) -> Result<(), ControlError> {
        Err(ControlError::Unsupported(control))
    }

    /// Kind and name, for finding it.
    fn is(&self, kind: Kind, name: &str) -> bool;
}
