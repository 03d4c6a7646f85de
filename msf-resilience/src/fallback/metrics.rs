//! What a fallback exports.

use msf_core::metrics::{Counter, MetricInfo, Metrics, MetricsError, Spec};

static ANSWERS: Spec<Counter, 2> = Spec::counter(
    "msf_fallback_answers_total",
    "Calls that got another answer, by why: failure, refused or chosen.",
    ["fallback", "cause"],
);

static FAILED: Spec<Counter, 1> = Spec::counter(
    "msf_fallback_failed_total",
    "Calls whose other answer failed too.",
    ["fallback"],
);

pub(crate) static CATALOGUE: [MetricInfo; 2] = [ANSWERS.info(), FAILED.info()];

/// The series of one fallback, found when it is built.
#[derive(Debug)]
pub(super) struct FallbackMetrics {
    pub(super) failure: Counter,
    pub(super) refused: Counter,
    pub(super) chosen: Counter,
    pub(super) failed: Counter,
}

impl FallbackMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let answers = ANSWERS.register(metrics)?;
        Ok(Self {
            failure: answers.with([name, "failure"]),
            refused: answers.with([name, "refused"]),
            chosen: answers.with([name, "chosen"]),
            failed: FAILED.register(metrics)?.with([name]),
        })
    }

    /// Counts for the snapshot alone.
    pub(super) fn unregistered() -> Self {
        Self {
            failure: Counter::noop(),
            refused: Counter::noop(),
            chosen: Counter::noop(),
            failed: Counter::noop(),
        }
    }
}
