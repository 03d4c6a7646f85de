//! What the endpoints answered.

use msf_core::metrics::{Counter, CounterFamily, Metrics, MetricsError, Spec};

pub(crate) static REQUESTS: Spec<Counter, 2> = Spec::counter(
    "msf_auth_oauth_requests_total",
    "Requests to the endpoints of the authorization server (token, revoke, introspect) by result (ok or the error code).",
    ["endpoint", "result"],
);

pub(super) struct OAuthMetrics(Option<CounterFamily<2>>);

impl OAuthMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        Ok(Self(Some(REQUESTS.register(metrics)?)))
    }

    pub(super) const fn noop() -> Self {
        Self(None)
    }

    /// Both words are ours, never the caller's.
    pub(super) fn answered(&self, endpoint: &str, result: &str) {
        if let Some(requests) = &self.0 {
            requests.with([endpoint, result]).inc();
        }
    }
}
