//! What is counted of configurations.

use msf_core::metrics::{Counter, Gauge, Metrics, MetricsError, Spec};

use super::revision::Revision;

pub(crate) static REVISION: Spec<Gauge, 0> = Spec::gauge(
    "msf_gateway_config_revision",
    "The revision of the configuration that is in use; it begins at 1 with the process.",
    [],
);

pub(crate) static SUCCESS: Spec<Gauge, 0> = Spec::gauge(
    "msf_gateway_config_last_reload_success",
    "1 if the configuration that was read last is in use, 0 if it was refused.",
    [],
);

pub(crate) static RELOADS: Spec<Counter, 1> = Spec::counter(
    "msf_gateway_config_reloads_total",
    "Configurations that were read while the gateway ran, by result: applied, rejected.",
    ["result"],
);

/// The handles.
#[derive(Debug)]
pub(super) struct ConfigMetrics {
    revision: Gauge,
    success: Gauge,
    applied: Counter,
    rejected: Counter,
}

impl ConfigMetrics {
    pub(super) fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let reloads = RELOADS.register(metrics)?;
        let all = Self {
            revision: REVISION.register(metrics)?.with([]),
            success: SUCCESS.register(metrics)?.with([]),
            applied: reloads.with(["applied"]),
            rejected: reloads.with(["rejected"]),
        };
        all.is(Revision::FIRST);
        Ok(all)
    }

    pub(super) fn applied(&self, revision: Revision) {
        self.applied.inc();
        self.is(revision);
    }

    pub(super) fn rejected(&self) {
        self.rejected.inc();
        self.success.set(0.0);
    }

    /// The text is that which is in use again.
    pub(super) fn is_current(&self) {
        self.success.set(1.0);
    }

    fn is(&self, revision: Revision) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a process does not see 2^53 configurations"
        )]
        self.revision.set(revision.get() as f64);
        self.is_current();
    }
}
