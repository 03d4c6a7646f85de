//! Failures, counted.

use std::sync::OnceLock;

use msf_core::metrics::{Counter, CounterFamily, Metrics, MetricsError, Spec};

use super::ProxyError;

pub(crate) static FAILURES: Spec<Counter, 2> = Spec::counter(
    "msf_gateway_failures_total",
    "Requests that failed: the gateway answered them itself, the client left, or the answer broke off; by flag and by who ended them.",
    ["flag", "ended_by"],
);

/// The counters of failures. Resolved at the first failure of a kind: most kinds never happen.
#[derive(Debug)]
pub(crate) struct Failures {
    family: CounterFamily<2>,
    counters: [OnceLock<Counter>; ProxyError::ALL.len()],
}

impl Failures {
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            family: FAILURES.register(metrics)?,
            counters: [const { OnceLock::new() }; ProxyError::ALL.len()],
        })
    }

    pub(crate) fn count(&self, failure: ProxyError) {
        let labels = [failure.flag().words(), failure.side().as_str()];
        if let Some(counter) = self.counters.get(failure as usize) {
            counter.get_or_init(|| self.family.with(labels)).inc();
        }
    }
}
