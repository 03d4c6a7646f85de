//! What became of logins.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use super::LimitedBy;

pub(crate) static LOGINS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_logins_total",
    "Logins by what became of them (succeeded, failed, withdrawn, or limited by account, network or all together).",
    ["result"],
);

#[derive(Debug)]
pub(super) struct LoginMetrics {
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
    pub(super) withdrawn: Counter,
    account: Counter,
    network: Counter,
    global: Counter,
}

impl LoginMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = LOGINS.register(metrics)?;
        Ok(Self {
            succeeded: family.with(["succeeded"]),
            failed: family.with(["failed"]),
            withdrawn: family.with(["withdrawn"]),
            account: family.with(["limited_account"]),
            network: family.with(["limited_network"]),
            global: family.with(["limited_global"]),
        })
    }

    pub(super) fn noop() -> Self {
        Self {
            succeeded: Counter::noop(),
            failed: Counter::noop(),
            withdrawn: Counter::noop(),
            account: Counter::noop(),
            network: Counter::noop(),
            global: Counter::noop(),
        }
    }

    pub(super) fn limited(&self, by: LimitedBy) {
        match by {
            LimitedBy::Account => &self.account,
            LimitedBy::Network => &self.network,
            LimitedBy::Global => &self.global,
        }
        .inc();
    }
}
