//! What policies said.

use msf_core::metrics::{Counter, Metrics, MetricsError, Spec};

use crate::policy::{Decision, Missing, StepUp};

pub(crate) static DECISIONS: Spec<Counter, 1> = Spec::counter(
    "msf_auth_decisions_total",
    "What policies said about callers (allowed, unauthenticated, hidden, forbidden, step_up, undecided).",
    ["result"],
);

/// One of each, in the order of their places.
const EACH: [Decision<'static>; 6] = [
    Decision::Allow,
    Decision::Unauthenticated,
    Decision::Hidden,
    Decision::Forbidden(Missing::Nobody),
    Decision::StepUp(StepUp::Mfa),
    Decision::Undecided(""),
];

#[derive(Debug)]
pub(super) struct DecisionMetrics([Counter; EACH.len()]);

impl DecisionMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricsError> {
        let family = DECISIONS.register(metrics)?;
        Ok(Self(EACH.map(|decision| family.with([decision.word()]))))
    }

    pub(super) fn noop() -> Self {
        Self(EACH.map(|_| Counter::noop()))
    }

    pub(super) fn count(&self, decision: Decision<'_>) {
        let place = match decision {
            Decision::Allow => 0,
            Decision::Unauthenticated => 1,
            Decision::Hidden => 2,
            Decision::Forbidden(_) => 3,
            Decision::StepUp(_) => 4,
            Decision::Undecided(_) => 5,
        };
        self.0[place].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_decision_has_its_own_series() {
        let metrics = Metrics::new();
        let decisions = DecisionMetrics::new(&metrics).unwrap();
        for decision in EACH {
            decisions.count(decision);
        }
        let text = metrics.render();
        for decision in EACH {
            let line = format!(
                r#"msf_auth_decisions_total{{result="{}"}} 1"#,
                decision.word()
            );
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}
