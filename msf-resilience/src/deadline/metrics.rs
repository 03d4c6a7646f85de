//! What a deadline exports.

use msf_core::metrics::{Counter, MetricInfo, Metrics, MetricsError, Spec};

static EXCEEDED: Spec<Counter, 2> = Spec::counter(
    "msf_deadline_exceeded_total",
    "Requests whose deadline had passed before the call, or passed meanwhile.",
    ["deadline", "when"],
);

pub(crate) static CATALOGUE: [MetricInfo; 1] = [EXCEEDED.info()];

/// The series of one layer, found when it is built.
#[derive(Clone, Debug)]
pub(super) struct DeadlineMetrics {
    pub(super) before: Counter,
    pub(super) meanwhile: Counter,
}

impl DeadlineMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let exceeded = EXCEEDED.register(metrics)?;
        Ok(Self {
            before: exceeded.with([name, "before"]),
            meanwhile: exceeded.with([name, "meanwhile"]),
        })
    }
}
