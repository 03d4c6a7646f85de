//! What an adaptive limit exports.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

use super::handle::Shared;
use crate::stripe::Exported;

static CALLS: Spec<Counter, 1> = Spec::counter(
    "msf_adaptive_calls_total",
    "Calls that an adaptive limit let in and that have ended.",
    ["limit"],
);

static IN_FLIGHT: Spec<Gauge, 1> = Spec::gauge(
    "msf_adaptive_in_flight",
    "Permits of an adaptive limit that are taken.",
    ["limit"],
);

static LATENCY: Spec<Gauge, 1> = Spec::gauge(
    "msf_adaptive_latency_seconds",
    "Mean latency of the last window that an adaptive limit has judged; 0 before the first.",
    ["limit"],
);

static LIMIT: Spec<Gauge, 1> = Spec::gauge(
    "msf_adaptive_limit",
    "Calls that an adaptive limit lets in at once now.",
    ["limit"],
);

static REFUSED: Spec<Counter, 1> = Spec::counter(
    "msf_adaptive_refused_total",
    "Calls that an adaptive limit refused.",
    ["limit"],
);

pub(crate) static CATALOGUE: [MetricInfo; 5] = [
    CALLS.info(),
    IN_FLIGHT.info(),
    LATENCY.info(),
    LIMIT.info(),
    REFUSED.info(),
];

/// The series of one limit, found when it is built.
#[derive(Debug)]
pub(super) struct AdaptiveMetrics {
    calls: Exported,
    in_flight: Gauge,
    latency: Gauge,
    limit: Gauge,
    pub(super) refused: Counter,
}

impl AdaptiveMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        Ok(Self {
            calls: Exported::since(CALLS.register(metrics)?.with([name]), 0),
            in_flight: IN_FLIGHT.register(metrics)?.with([name]),
            latency: LATENCY.register(metrics)?.with([name]),
            limit: LIMIT.register(metrics)?.with([name]),
            refused: REFUSED.register(metrics)?.with([name]),
        })
    }

    pub(super) fn show(&self, shared: &Shared) {
        self.calls.show(shared.calls());
        let now = shared.now();
        self.in_flight.set(now.in_flight().into());
        self.latency.set(now.latency().as_secs_f64());
        self.limit.set(now.limit().into());
    }
}
