//! What a timeout exports.

use msf_core::metrics::{Counter, MetricInfo, Metrics, MetricsError, Spec};

use super::error::Elapsed;

static ELAPSED: Spec<Counter, 2> = Spec::counter(
    "msf_timeout_elapsed_total",
    "Attempts that were ended: by their own timeout, or by the deadline of the request.",
    ["timeout", "limit"],
);

pub(crate) static CATALOGUE: [MetricInfo; 1] = [ELAPSED.info()];

/// The series of one timeout, found when it is built.
#[derive(Debug)]
pub(super) struct TimeoutMetrics {
    timeout: Counter,
    deadline: Counter,
}

impl TimeoutMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let elapsed = ELAPSED.register(metrics)?;
        Ok(Self {
            timeout: elapsed.with([name, "timeout"]),
            deadline: elapsed.with([name, "deadline"]),
        })
    }

    pub(super) fn count(&self, elapsed: Elapsed) {
        let counter = if elapsed.is_deadline() {
            &self.deadline
        } else {
            &self.timeout
        };
        counter.inc();
    }
}
