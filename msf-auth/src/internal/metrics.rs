//! What became of calls for a token.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

pub(crate) static TOKENS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_internal_tokens_total",
    "Tokens for services inside, by result: minted, kept (given again) or failed.",
    ["result"],
);

#[derive(Debug)]
pub(super) struct TokenMetrics {
    pub(super) minted: Counter,
    pub(super) kept: Counter,
    pub(super) failed: Counter,
}

impl TokenMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = TOKENS.register(metrics)?;
        Ok(Self {
            minted: family.with(["minted"]),
            kept: family.with(["kept"]),
            failed: family.with(["failed"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            minted: Counter::noop(),
            kept: Counter::noop(),
            failed: Counter::noop(),
        }
    }
}
