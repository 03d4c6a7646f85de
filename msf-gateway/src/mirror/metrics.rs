//! What became of copies.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

pub(crate) static MIRRORED: Spec<Counter, 2> = Spec::counter(
    "msf_gateway_mirrored_requests_total",
    "Copies of requests for another cluster, by what became of them.",
    ["route", "outcome"],
);

/// The counters of one route.
#[derive(Clone, Debug)]
pub(super) struct MirrorMetrics {
    pub(super) answered: Counter,
    pub(super) failed: Counter,
    pub(super) too_many: Counter,
    pub(super) too_large: Counter,
}

impl MirrorMetrics {
    pub(super) fn noop() -> Self {
        Self {
            answered: Counter::noop(),
            failed: Counter::noop(),
            too_many: Counter::noop(),
            too_large: Counter::noop(),
        }
    }

    pub(super) fn new(metrics: &Metrics, route: &str) -> Result<Self, MetricsError> {
        let family = MIRRORED.register(metrics)?;
        let counter = |outcome| family.with([route, outcome]);
        Ok(Self {
            answered: counter("answered"),
            failed: counter("failed"),
            too_many: counter("too_many"),
            too_large: counter("too_large"),
        })
    }
}
