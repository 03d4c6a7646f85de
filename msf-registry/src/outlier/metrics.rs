//! What is counted about ejections.

use msf_core::{
    metrics::{Counter, Gauge, Metrics, MetricsError, Spec},
    name::ServiceName,
};

use super::sweep::Reason;

/// Ejections of one service.
#[derive(Clone, Debug)]
pub(crate) struct Ejections {
    consecutive: Counter,
    success_rate: Counter,
    probe: Counter,
    ejected: Gauge,
}

impl Ejections {
    pub(crate) fn register(metrics: &Metrics, service: &ServiceName) -> Result<Self, MetricsError> {
        let ejections = EJECTIONS.register(metrics)?;
        let with = |reason: Reason| ejections.with([service.as_str(), reason.as_str()]);
        Ok(Self {
            consecutive: with(Reason::Consecutive),
            success_rate: with(Reason::SuccessRate),
            probe: with(Reason::Probe),
            ejected: EJECTED.register(metrics)?.with([service.as_str()]),
        })
    }

    pub(crate) fn noop() -> Self {
        Self {
            consecutive: Counter::noop(),
            success_rate: Counter::noop(),
            probe: Counter::noop(),
            ejected: Gauge::noop(),
        }
    }

    pub(crate) fn count(&self, reason: Reason) {
        let counter = match reason {
            Reason::Consecutive => &self.consecutive,
            Reason::SuccessRate => &self.success_rate,
            Reason::Probe => &self.probe,
        };
        counter.inc();
    }

    pub(crate) fn set_ejected(&self, instances: usize) {
        self.ejected.set(instances as f64);
    }
}

pub(crate) static EJECTED: Spec<Gauge, 1> = Spec::gauge(
    "msf_outlier_ejected",
    "Instances of a service that are left alone because their calls failed.",
    ["service"],
);

pub(crate) static EJECTIONS: Spec<Counter, 2> = Spec::counter(
    "msf_outlier_ejections_total",
    "Instances that were left alone, by why: consecutive (failures), success_rate or probe (it failed).",
    ["service", "reason"],
);
