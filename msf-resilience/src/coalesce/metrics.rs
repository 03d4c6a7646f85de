//! What a coalescing exports.

use msf_core::metrics::{Counter, MetricInfo, Metrics, MetricsError, Spec};

use crate::stripe::Exported;

static CALLS: Spec<Counter, 2> = Spec::counter(
    "msf_coalesce_calls_total",
    "Calls with a key, by part: led (made the call), joined (waited for another's), or alone (made their own, since the table was full or the outcome could not be shared).",
    ["coalesce", "part"],
);

static TAKEN_OVER: Spec<Counter, 1> = Spec::counter(
    "msf_coalesce_taken_over_total",
    "Calls that a follower took over from a leader who was gone or too slow.",
    ["coalesce"],
);

pub(crate) static CATALOGUE: [MetricInfo; 2] = [CALLS.info(), TAKEN_OVER.info()];

/// The series of one coalescing, found when it is built.
#[derive(Debug)]
pub(super) struct CoalesceMetrics {
    pub(super) led: Exported,
    pub(super) joined: Exported,
    pub(super) alone: Exported,
    pub(super) taken_over: Exported,
}

impl CoalesceMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let calls = CALLS.register(metrics)?;
        let calls = |part| Exported::since(calls.with([name, part]), 0);
        Ok(Self {
            led: calls("led"),
            joined: calls("joined"),
            alone: calls("alone"),
            taken_over: Exported::since(TAKEN_OVER.register(metrics)?.with([name]), 0),
        })
    }
}
