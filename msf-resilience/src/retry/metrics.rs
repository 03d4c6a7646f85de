//! What a retry policy exports.

use msf_core::metrics::{Counter, MetricInfo, Metrics, MetricsError, Spec};

use super::decision::GiveUp;
use crate::{
    budget::Class,
    stripe::{Exported, Tally},
};

static ATTEMPTS: Spec<Counter, 1> = Spec::counter(
    "msf_retry_attempts_total",
    "Attempts under a retry policy, the first of each call included.",
    ["retry"],
);

static GIVE_UPS: Spec<Counter, 2> = Spec::counter(
    "msf_retry_give_ups_total",
    "Failed calls that were not retried (any more): not_repeatable, attempts, retry_after, deadline or budget.",
    ["retry", "reason"],
);

static RETRIES: Spec<Counter, 2> = Spec::counter(
    "msf_retry_retries_total",
    "Attempts after the first, by the class of the failure before: transient or throttled.",
    ["retry", "class"],
);

pub(crate) static CATALOGUE: [MetricInfo; 3] = [ATTEMPTS.info(), GIVE_UPS.info(), RETRIES.info()];

/// The series of one policy, found when it is built.
#[derive(Debug)]
pub(super) struct RetryMetrics {
    /// First attempts: every call adds one, so it is counted in stripes and exported at a scrape.
    pub(super) calls: Tally,
    first: Exported,
    attempts: Counter,
    transient: Counter,
    throttled: Counter,
    give_ups: [(GiveUp, Counter); 5],
}

impl RetryMetrics {
    pub(super) fn register(metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        let retries = RETRIES.register(metrics)?;
        let give_ups = GIVE_UPS.register(metrics)?;
        let attempts = ATTEMPTS.register(metrics)?.with([name]);
        Ok(Self {
            calls: Tally::default(),
            first: Exported::since(attempts.clone(), 0),
            attempts,
            transient: retries.with([name, "transient"]),
            throttled: retries.with([name, "throttled"]),
            give_ups: [
                GiveUp::NotRepeatable,
                GiveUp::Attempts,
                GiveUp::RetryAfter,
                GiveUp::Deadline,
                GiveUp::Budget,
            ]
            .map(|reason| (reason, give_ups.with([name, reason.as_str()]))),
        })
    }

    pub(super) fn export(&self) {
        self.first.show(self.calls.sum());
    }

    pub(super) fn count_retry(&self, class: Class) {
        self.attempts.inc();
        match class {
            Class::Transient => self.transient.inc(),
            Class::Throttled => self.throttled.inc(),
        }
    }

    pub(super) fn count_give_up(&self, reason: GiveUp) {
        let counter = self.give_ups.iter().find(|(known, _)| *known == reason);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}
