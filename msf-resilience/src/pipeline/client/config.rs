//! A client's pipeline as it is written in a file.

use std::{mem, time::Duration};

use msf_core::config::{Config, Problems};
use serde::{Deserialize, Serialize};

use super::{builder::http_client, handle::Parts};
use crate::{
    bulkhead,
    circuit_breaker::{self, State},
    hedge,
    pipeline::invalid::Findings,
    rate_limit, retry,
};

/// A client's pipeline as serde reads it: a section for each part; a part whose section is left out is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The total time of a call with all its attempts and waits.
    #[serde(with = "msf_core::config::duration::option")]
    pub deadline: Option<Duration>,
    /// By how much less than its own time the callee is told, for the way back.
    #[serde(with = "msf_core::config::duration")]
    pub deadline_margin: Duration,
    /// Failed calls are made again.
    pub retry: Option<retry::Config>,
    /// Slow calls are made a second time.
    pub hedge: Option<hedge::Config>,
    /// So many calls per time.
    pub rate_limit: Option<rate_limit::Config>,
    /// So many calls at once.
    pub bulkhead: Option<bulkhead::Config>,
    /// Fails fast while the callee fails.
    pub breaker: Option<circuit_breaker::Config>,
    /// The time of a single attempt.
    #[serde(with = "msf_core::config::duration::option")]
    pub attempt_timeout: Option<Duration>,
}

/// The times of a pipeline, which must fit each other.
pub(super) struct Times {
    pub(super) deadline: Option<Duration>,
    pub(super) margin: Duration,
    pub(super) attempt: Option<Duration>,
}

impl Times {
    pub(super) fn check(&self, findings: &mut Findings) {
        // Nothing fits a deadline of zero, which is reported for itself.
        let Some(deadline) = self.deadline.filter(|deadline| !deadline.is_zero()) else {
            return;
        };
        if self.attempt.is_some_and(|attempt| attempt > deadline) {
            let message =
                format_args!("an attempt must not have more time than the deadline, {deadline:?}");
            findings.report("attempt_timeout", message);
        }
        if self.margin >= deadline {
            let message = format_args!("must be less than the deadline, {deadline:?}");
            findings.report("deadline_margin", message);
        }
    }
}

impl ClientConfig {
    /// Reports what of this a running pipeline could not take.
    pub(super) fn check(&self, parts: &Parts, findings: &mut Findings) {
        let times = parts.given.or(self);
        times.check(findings);
        parts
            .deadline
            .check("deadline", self.deadline.as_ref(), findings);
        if parts.deadline.part.is_some() && times.margin != parts.deadline_margin {
            findings.report("deadline_margin", "another margin needs a restart");
        }
        parts.retry.check("retry", self.retry.as_ref(), findings);
        parts.hedge.check("hedge", self.hedge.as_ref(), findings);
        parts
            .rate_limit
            .check("rate_limit", self.rate_limit.as_ref(), findings);
        parts
            .bulkhead
            .check("bulkhead", self.bulkhead.as_ref(), findings);
        // One that goes is disabled.
        if self.breaker.is_some() || parts.breaker.part.is_none() {
            parts
                .breaker
                .check("breaker", self.breaker.as_ref(), findings);
        }
        let attempt = self.attempt_timeout.as_ref();
        parts
            .attempt_timeout
            .check("attempt_timeout", attempt, findings);
    }

    /// Gives the parts what [`check`](Self::check) had nothing against.
    pub(super) fn apply(&self, parts: &Parts, breaker_is_off: &mut bool, findings: &mut Findings) {
        parts
            .deadline
            .apply("deadline", self.deadline.as_ref(), findings);
        parts.retry.apply("retry", self.retry.as_ref(), findings);
        parts.hedge.apply("hedge", self.hedge.as_ref(), findings);
        parts
            .rate_limit
            .apply("rate_limit", self.rate_limit.as_ref(), findings);
        parts
            .bulkhead
            .apply("bulkhead", self.bulkhead.as_ref(), findings);
        parts
            .breaker
            .apply("breaker", self.breaker.as_ref(), findings);
        if let Some(breaker) = parts.breaker.described() {
            // What an operator has ordered meanwhile holds.
            let state = breaker.state();
            if self.breaker.is_none() {
                if !is_held(state) {
                    breaker.disable();
                    *breaker_is_off = true;
                }
            } else if mem::take(breaker_is_off) && state == State::Disabled {
                breaker.release();
            }
        }
        let attempt = self.attempt_timeout.as_ref();
        parts
            .attempt_timeout
            .apply("attempt_timeout", attempt, findings);
    }
}

const fn is_held(state: State) -> bool {
    matches!(
        state,
        State::ForcedOpen | State::Disabled | State::MetricsOnly
    )
}

/// So that a [`Loader`](msf_core::config::Loader) reports what could not work at its key, with file and line.
impl Config for ClientConfig {
    type Resolved = Self;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self> {
        match http_client("checked").config(&self).build() {
            Ok(_) => Some(self),
            Err(invalid) => {
                invalid.report(problems);
                None
            }
        }
    }
}
