//! What became of API keys.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use super::{ApiKeyError, ApiKeyRefusal};

pub(crate) static API_KEYS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_api_keys_total",
    "API keys that came with requests, by what became of them (accepted, refused, unavailable) and why.",
    ["result", "reason"],
);

#[derive(Debug)]
pub(super) struct ApiKeyMetrics {
    accepted: Counter,
    unavailable: Counter,
    refused: Box<[Counter]>,
}

impl ApiKeyMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = API_KEYS.register(metrics)?;
        let refused = ApiKeyRefusal::ALL.iter();
        Ok(Self {
            accepted: family.with(["accepted", ""]),
            unavailable: family.with(["unavailable", ""]),
            refused: refused
                .map(|reason| family.with(["refused", reason.as_str()]))
                .collect(),
        })
    }

    pub(super) fn noop() -> Self {
        let refused = ApiKeyRefusal::ALL.iter();
        Self {
            accepted: Counter::noop(),
            unavailable: Counter::noop(),
            refused: refused.map(|_| Counter::noop()).collect(),
        }
    }

    pub(super) fn count<T>(&self, outcome: &Result<T, ApiKeyError>) {
        match outcome {
            Ok(_) => self.accepted.inc(),
            Err(ApiKeyError::Refused(reason)) => {
                // `ALL` has the reasons in the order of their numbers.
                if let Some(counter) = self.refused.get(*reason as usize) {
                    counter.inc();
                }
            }
            Err(_) => self.unavailable.inc(),
        }
    }
}
