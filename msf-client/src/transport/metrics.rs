//! What the transport counts.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

pub(crate) static OPEN: Spec<Gauge, 0> = Spec::gauge(
    "msf_client_connections",
    "Open connections to callees, idle ones included.",
    [],
);

pub(crate) static OPENED: Spec<Counter, 0> = Spec::counter(
    "msf_client_connections_opened_total",
    "Connections to callees that were opened.",
    [],
);

pub(crate) static REUSED: Spec<Counter, 0> = Spec::counter(
    "msf_client_connections_reused_total",
    "Requests that were given a connection which had served another one.",
    [],
);

pub(crate) static STALE: Spec<Counter, 0> = Spec::counter(
    "msf_client_connections_stale_total",
    "Reused connections that turned out to be closed before the request was written.",
    [],
);

/// Handles of one [`Connections`](super::Connections).
#[derive(Clone, Debug)]
pub(super) struct TransportMetrics {
    pub(super) open: Gauge,
    pub(super) opened: Counter,
    pub(super) reused: Counter,
    pub(super) stale: Counter,
}

impl TransportMetrics {
    pub(super) fn noop() -> Self {
        Self {
            open: Gauge::noop(),
            opened: Counter::noop(),
            reused: Counter::noop(),
            stale: Counter::noop(),
        }
    }

    pub(super) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            open: OPEN.register(metrics)?.with([]),
            opened: OPENED.register(metrics)?.with([]),
            reused: REUSED.register(metrics)?.with([]),
            stale: STALE.register(metrics)?.with([]),
        })
    }
}
