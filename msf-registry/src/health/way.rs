//! In which way an instance is checked.

use std::{collections::HashMap, sync::Arc, time::Duration};

use msf_core::name::ServiceName;
use tokio::time::timeout;

use super::{
    probe::{Probe, ProbeFailed},
    reach::Reach,
};
use crate::model::{HealthCheck, Instance};

/// What decides it.
pub(super) struct Ways {
    pub(super) probe: Arc<dyn Probe>,
    pub(super) probe_of: HashMap<ServiceName, Arc<dyn Probe>>,
    pub(super) check: Option<HealthCheck>,
    pub(super) check_of: HashMap<ServiceName, HealthCheck>,
    pub(super) reach: Reach,
    pub(super) timeout: Duration,
}

/// What came of a check.
#[derive(Debug)]
pub(super) enum Checked {
    Passed,
    Failed(ProbeFailed),
    TimedOut(Duration),
    OutOfReach(ProbeFailed),
    /// This process could not make it.
    Impeded(ProbeFailed),
    Panicked,
}

impl Ways {
    /// Whether an instance is checked at all.
    pub(super) fn apply_to(&self, instance: &Instance) -> bool {
        instance.health_check.is_some()
            || self.check.is_some()
            || self.check_of.contains_key(&instance.service)
            || self.probe_of.contains_key(&instance.service)
    }

    /// The check of an instance, which gives its kind as well. It holds all that it needs, so that it can run
    /// anywhere; nothing of the probe runs before it is polled.
    pub(super) fn check(
        &self,
        instance: &Arc<Instance>,
    ) -> impl Future<Output = (&'static str, Checked)> + Send + use<> {
        let own = self.probe_of.get(&instance.service);
        let probe = Arc::clone(own.unwrap_or(&self.probe));
        let instance = self.with_check(instance);
        // All that it names: which of them the probe asks is the probe's to say.
        let reached = self.reach.validate(&instance);
        let limit = self.timeout;
        async move {
            let kind = probe.kind(&instance);
            if let Err(out) = reached {
                return (kind, Checked::OutOfReach(ProbeFailed::refusal(out)));
            }
            let checked = match timeout(limit, probe.probe(&instance)).await {
                Ok(Ok(())) => Checked::Passed,
                Ok(Err(failed)) if failed.is_ours() => Checked::Impeded(failed),
                Ok(Err(failed)) => Checked::Failed(failed),
                Err(_elapsed) => Checked::TimedOut(limit),
            };
            (kind, checked)
        }
    }

    /// With the check that it is given where it asks for none.
    fn with_check(&self, instance: &Arc<Instance>) -> Arc<Instance> {
        if instance.health_check.is_some() {
            return Arc::clone(instance);
        }
        let given = self.check_of.get(&instance.service).or(self.check.as_ref());
        match given {
            Some(check) => Arc::new(Instance::clone(instance).health_check(check.clone())),
            None => Arc::clone(instance),
        }
    }
}

impl Checked {
    /// The word in metrics.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(failed) if failed.is_refusal() => "refused",
            Self::Failed(_) | Self::Panicked => "failed",
            Self::TimedOut(_) => "timeout",
            Self::OutOfReach(_) => "out_of_reach",
            Self::Impeded(_) => "impeded",
        }
    }

    /// Why it did not pass, for the log.
    pub(super) fn cause(&self) -> Option<String> {
        match self {
            Self::Passed => None,
            Self::Failed(failed) | Self::OutOfReach(failed) | Self::Impeded(failed) => {
                Some(failed.line())
            }
            Self::TimedOut(limit) => Some(format!("no answer within {limit:?}")),
            Self::Panicked => Some("the probe panicked".to_owned()),
        }
    }
}
