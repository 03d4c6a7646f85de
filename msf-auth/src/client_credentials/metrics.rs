//! What became of requests for tokens.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

pub(crate) static REQUESTS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_token_requests_total",
    "Requests for tokens of our own by what became of them: granted, refused (by the server) or failed.",
    ["source", "result"],
);

#[derive(Debug)]
pub(super) struct RequestMetrics {
    pub(super) granted: Counter,
    pub(super) refused: Counter,
    pub(super) failed: Counter,
}

impl RequestMetrics {
    pub(super) fn new(metrics: &Metrics, source: &str) -> Result<Self, MetricsError> {
        let family = REQUESTS.register(metrics)?;
        Ok(Self {
            granted: family.with([source, "granted"]),
            refused: family.with([source, "refused"]),
            failed: family.with([source, "failed"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            granted: Counter::noop(),
            refused: Counter::noop(),
            failed: Counter::noop(),
        }
    }
}
