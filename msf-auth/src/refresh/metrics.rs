//! What became of refresh tokens.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use super::RefreshError;

pub(crate) static TOKENS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_refresh_tokens_total",
    "Refresh tokens by what became of them (issued, rotated, repeated within the grace, reused by a thief or after one, expired, revoked, refused, failed).",
    ["result"],
);

#[derive(Debug)]
pub(super) struct TokenMetrics {
    pub(super) issued: Counter,
    pub(super) rotated: Counter,
    pub(super) repeated: Counter,
    reused: Counter,
    expired: Counter,
    revoked: Counter,
    refused: Counter,
    failed: Counter,
}

impl TokenMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = TOKENS.register(metrics)?;
        Ok(Self {
            issued: family.with(["issued"]),
            rotated: family.with(["rotated"]),
            repeated: family.with(["repeated"]),
            reused: family.with(["reused"]),
            expired: family.with(["expired"]),
            revoked: family.with(["revoked"]),
            refused: family.with(["refused"]),
            failed: family.with(["failed"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            issued: Counter::noop(),
            rotated: Counter::noop(),
            repeated: Counter::noop(),
            reused: Counter::noop(),
            expired: Counter::noop(),
            revoked: Counter::noop(),
            refused: Counter::noop(),
            failed: Counter::noop(),
        }
    }

    pub(super) fn failed(&self, error: &RefreshError) {
        match error {
            RefreshError::Reused { .. } => &self.reused,
            RefreshError::Expired => &self.expired,
            RefreshError::Revoked => &self.revoked,
            RefreshError::Unknown
            | RefreshError::OtherClient
            | RefreshError::Scope
            | RefreshError::Grant(_) => &self.refused,
            RefreshError::Store(_) | RefreshError::Random => &self.failed,
        }
        .inc();
    }
}
