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

pub(crate) static QUEUE: Spec<Gauge, 0> = Spec::gauge(
    "msf_client_queue_length",
    "Requests that wait for a connection because all to the callee are in use.",
    [],
);

pub(crate) static REFUSALS: Spec<Counter, 1> = Spec::counter(
    "msf_client_queue_refusals_total",
    "Requests that got no connection, because too many waited or it took too long, by reason.",
    ["reason"],
);

/// Handles of one [`Connections`](super::Connections).
#[derive(Clone, Debug)]
pub(super) struct TransportMetrics {
    pub(super) open: Gauge,
    pub(super) opened: Counter,
    pub(super) reused: Counter,
    pub(super) stale: Counter,
    pub(super) queue: Gauge,
    pub(super) queue_full: Counter,
    pub(super) queue_timeout: Counter,
}

impl TransportMetrics {
    pub(super) fn noop() -> Self {
        Self {
            open: Gauge::noop(),
            opened: Counter::noop(),
            reused: Counter::noop(),
            stale: Counter::noop(),
            queue: Gauge::noop(),
            queue_full: Counter::noop(),
            queue_timeout: Counter::noop(),
        }
    }

    pub(super) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let refusals = REFUSALS.register(metrics)?;
        Ok(Self {
            open: OPEN.register(metrics)?.with([]),
            opened: OPENED.register(metrics)?.with([]),
            reused: REUSED.register(metrics)?.with([]),
            stale: STALE.register(metrics)?.with([]),
            queue: QUEUE.register(metrics)?.with([]),
            queue_full: refusals.with(["full"]),
            queue_timeout: refusals.with(["timeout"]),
        })
    }
}
