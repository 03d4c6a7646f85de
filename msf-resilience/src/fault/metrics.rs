//! What faults export.

use msf_core::metrics::{Counter, Gauge, MetricInfo, Metrics, MetricsError, Spec};

static ACTIVE: Spec<Gauge, 1> = Spec::gauge(
    "msf_fault_active",
    "How many sets of faults of this name are active, mostly 1 or none; it should be 0 where nobody experiments.",
    ["fault"],
);

static INJECTED: Spec<Counter, 2> = Spec::counter(
    "msf_fault_injected_total",
    "Faults that were injected: latency, error, hang or reset.",
    ["fault", "kind"],
);

pub(crate) static CATALOGUE: [MetricInfo; 2] = [ACTIVE.info(), INJECTED.info()];

/// The series of one set of faults, in the order of [`Fault::index`](super::kind::Fault::index).
#[derive(Debug)]
pub(super) struct FaultMetrics {
    pub(super) injected: [Counter; 4],
    pub(super) active: Gauge,
}

impl FaultMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let injected = INJECTED.register(metrics)?;
        Ok(Self {
            injected: ["latency", "error", "hang", "reset"].map(|kind| injected.with([name, kind])),
            active: ACTIVE.register(metrics)?.with([name]),
        })
    }

    /// Counts for the snapshot alone.
    pub(super) fn unregistered() -> Self {
        Self {
            injected: std::array::from_fn(|_| Counter::noop()),
            active: Gauge::noop(),
        }
    }
}
