//! What became of fetches.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

pub(crate) static REFRESHES: Spec<Counter, 2> = Spec::counter(
    "msf_auth_jwks_refreshes_total",
    "Fetches of key sets by what became of them: replaced, unchanged, failed or refused (no usable key).",
    ["source", "result"],
);

#[derive(Debug)]
pub(super) struct RefreshMetrics {
    pub(super) replaced: Counter,
    pub(super) unchanged: Counter,
    pub(super) failed: Counter,
    pub(super) refused: Counter,
}

impl RefreshMetrics {
    pub(super) fn new(metrics: &Metrics, source: &str) -> Result<Self, MetricsError> {
        let family = REFRESHES.register(metrics)?;
        Ok(Self {
            replaced: family.with([source, "replaced"]),
            unchanged: family.with([source, "unchanged"]),
            failed: family.with([source, "failed"]),
            refused: family.with([source, "refused"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            replaced: Counter::noop(),
            unchanged: Counter::noop(),
            failed: Counter::noop(),
            refused: Counter::noop(),
        }
    }
}
