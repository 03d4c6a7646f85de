//! What a client counts per service.

use std::sync::OnceLock;

use http::StatusCode;
use msf_core::{
    metrics::{Gauge, GaugeFamily, Histogram, HistogramFamily, Metrics, MetricsError, Spec},
    name::ServiceName,
};

use crate::{Error, transport::TransportError};

pub(crate) static ACTIVE: Spec<Gauge, 1> = Spec::gauge(
    "msf_client_active_requests",
    "Calls of a service whose answer has not been read to its end.",
    ["service"],
);

pub(crate) static DURATION: Spec<Histogram, 2> = Spec::histogram(
    "msf_client_request_duration_seconds",
    "Time from a call to the head of its answer or its failure, by outcome.",
    ["service", "outcome"],
);

/// The families of one client.
#[derive(Clone, Debug)]
pub(super) struct Families {
    active: GaugeFamily<1>,
    duration: HistogramFamily<2>,
}

/// The handles of one service.
#[derive(Debug)]
pub(super) struct ServiceMetrics {
    pub(super) active: Gauge,
    durations: Option<Durations>,
}

/// Resolved at the first call that ends so: most services never have most outcomes.
#[derive(Debug)]
struct Durations {
    service: ServiceName,
    family: HistogramFamily<2>,
    handles: [OnceLock<Histogram>; OUTCOMES.len()],
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    ClientError,
    ServerError,
    NoEndpoint,
    CircuitOpen,
    Connect,
    Timeout,
    Reset,
    InvalidAnswer,
    Request,
    Cancelled,
    RetryBudget,
    Overloaded,
}

const OUTCOMES: [&str; 13] = [
    "ok",
    "4xx",
    "5xx",
    "no_endpoint",
    "circuit_open",
    "connect",
    "timeout",
    "reset",
    "invalid_answer",
    "request",
    "cancelled",
    "retry_budget",
    "overloaded",
];

impl Families {
    pub(super) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            active: ACTIVE.register(metrics)?,
            duration: DURATION.register(metrics)?,
        })
    }
}

impl ServiceMetrics {
    pub(super) fn new(families: Option<&Families>, service: &ServiceName) -> Self {
        match families {
            Some(families) => Self {
                active: families.active.with([service.as_str()]),
                durations: Some(Durations {
                    service: service.clone(),
                    family: families.duration.clone(),
                    handles: [const { OnceLock::new() }; OUTCOMES.len()],
                }),
            },
            None => Self {
                active: Gauge::noop(),
                durations: None,
            },
        }
    }

    pub(super) fn observe(&self, outcome: Outcome, duration: std::time::Duration) {
        if let Some(durations) = &self.durations {
            durations.handle(outcome).observe(duration);
        }
    }
}

impl Durations {
    fn handle(&self, outcome: Outcome) -> &Histogram {
        let index = outcome as usize;
        self.handles[index]
            .get_or_init(|| self.family.with([self.service.as_str(), OUTCOMES[index]]))
    }
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        OUTCOMES[self as usize]
    }

    pub(super) fn of_status(status: StatusCode) -> Self {
        if status.is_server_error() {
            Self::ServerError
        } else if status.is_client_error() {
            Self::ClientError
        } else {
            Self::Ok
        }
    }

    pub(super) const fn of_error(error: &Error) -> Self {
        match error {
            Error::NoEndpoints(_) => Self::NoEndpoint,
            Error::CircuitOpen(_) => Self::CircuitOpen,
            Error::BudgetExhausted(_) => Self::RetryBudget,
            Error::Connect { source, .. } => match source {
                // This side's own limit, and not a callee that is away.
                TransportError::QueueFull { .. } | TransportError::QueueTimeout { .. } => {
                    Self::Overloaded
                }
                _ => Self::Connect,
            },
            Error::Timeout { .. } | Error::DeadlineExceeded { .. } => Self::Timeout,
            Error::Transport { source, .. } => match source {
                TransportError::Protocol { .. } => Self::InvalidAnswer,
                TransportError::RequestBody { .. } | TransportError::InvalidRequest { .. } => {
                    Self::Request
                }
                _ => Self::Reset,
            },
            Error::InvalidRequest { .. } | Error::Credentials(_) => Self::Request,
            // Found out after the head, which has been counted.
            Error::Problem { .. }
            | Error::Decode { .. }
            | Error::Text { .. }
            | Error::BodyTooLarge { .. } => Self::InvalidAnswer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_word() {
        assert_eq!(Outcome::Ok.as_str(), "ok");
        assert_eq!(Outcome::CircuitOpen.as_str(), "circuit_open");
        assert_eq!(Outcome::Cancelled.as_str(), "cancelled");
        assert_eq!(Outcome::Overloaded as usize + 1, OUTCOMES.len());
    }
}
