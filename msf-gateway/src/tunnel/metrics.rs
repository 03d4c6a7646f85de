//! What is counted about tunnels.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

pub(crate) static TUNNELS: Spec<Gauge, 0> = Spec::gauge(
    "msf_gateway_tunnels",
    "Client connections that have left HTTP and are joined with a service.",
    [],
);

pub(crate) static ENDED: Spec<Counter, 1> = Spec::counter(
    "msf_gateway_tunnels_ended_total",
    "Tunnels that have ended, by reason.",
    ["reason"],
);

pub(crate) static BYTES: Spec<Counter, 1> = Spec::counter(
    "msf_gateway_tunnel_bytes_total",
    "Bytes that passed through tunnels, by direction.",
    ["direction"],
);

/// Why a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Closed,
    Idle,
    Drained,
    Failed,
}

/// The handles of one gateway.
#[derive(Clone, Debug)]
pub(crate) struct TunnelMetrics {
    pub(super) open: Gauge,
    pub(super) to_service: Counter,
    pub(super) to_client: Counter,
    closed: Counter,
    idle: Counter,
    drained: Counter,
    failed: Counter,
}

impl TunnelMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let ended = ENDED.register(metrics)?;
        let bytes = BYTES.register(metrics)?;
        Ok(Self {
            open: TUNNELS.register(metrics)?.with([]),
            to_service: bytes.with(["to_service"]),
            to_client: bytes.with(["to_client"]),
            closed: ended.with(["closed"]),
            idle: ended.with(["idle"]),
            drained: ended.with(["drained"]),
            failed: ended.with(["failed"]),
        })
    }

    pub(super) const fn ended(&self, reason: Reason) -> &Counter {
        match reason {
            Reason::Closed => &self.closed,
            Reason::Idle => &self.idle,
            Reason::Drained => &self.drained,
            Reason::Failed => &self.failed,
        }
    }
}
