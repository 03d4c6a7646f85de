//! A client's pipeline as it is written in a file.

use std::{mem, time::Duration};

use msf_core::config::{Config, Problems};
use serde::{Deserialize, Serialize};

use super::{builder::http_client, handle::Parts};
use crate::{
    bulkhead, circuit_breaker, hedge,
    pipeline::{invalid::Findings, part},
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
        let Some(deadline) = self.deadline else {
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
        self.times().check(findings);
        part::check(
            "deadline",
            parts.deadline.as_ref(),
            self.deadline.as_ref(),
            findings,
        );
        if self.deadline_margin != parts.deadline_margin {
            findings.report("deadline_margin", "another margin needs a restart");
        }
        part::check("retry", parts.retry.as_ref(), self.retry.as_ref(), findings);
        part::check("hedge", parts.hedge.as_ref(), self.hedge.as_ref(), findings);
        part::check(
            "rate_limit",
            parts.rate_limit.as_ref(),
            self.rate_limit.as_ref(),
            findings,
        );
        part::check(
            "bulkhead",
            parts.bulkhead.as_ref(),
            self.bulkhead.as_ref(),
            findings,
        );
        // One that goes is disabled.
        if self.breaker.is_some() || parts.breaker.is_none() {
            part::check(
                "breaker",
                parts.breaker.as_ref(),
                self.breaker.as_ref(),
                findings,
            );
        }
        let (timeout, after) = (
            parts.attempt_timeout.as_ref(),
            self.attempt_timeout.as_ref(),
        );
        part::check("attempt_timeout", timeout, after, findings);
    }

    /// Gives the parts what [`check`](Self::check) had nothing against.
    pub(super) fn apply(&self, parts: &Parts, breaker_is_off: &mut bool, findings: &mut Findings) {
        part::apply(
            "deadline",
            parts.deadline.as_ref(),
            self.deadline.as_ref(),
            findings,
        );
        part::apply("retry", parts.retry.as_ref(), self.retry.as_ref(), findings);
        part::apply("hedge", parts.hedge.as_ref(), self.hedge.as_ref(), findings);
        part::apply(
            "rate_limit",
            parts.rate_limit.as_ref(),
            self.rate_limit.as_ref(),
            findings,
        );
        part::apply(
            "bulkhead",
            parts.bulkhead.as_ref(),
            self.bulkhead.as_ref(),
            findings,
        );
        part::apply(
            "breaker",
            parts.breaker.as_ref(),
            self.breaker.as_ref(),
            findings,
        );
        if let Some(breaker) = &parts.breaker {
            if self.breaker.is_none() {
                breaker.disable();
                *breaker_is_off = true;
            } else if mem::take(breaker_is_off) {
                breaker.release();
            }
        }
        let (timeout, after) = (
            parts.attempt_timeout.as_ref(),
            self.attempt_timeout.as_ref(),
        );
        part::apply("attempt_timeout", timeout, after, findings);
    }

    const fn times(&self) -> Times {
        Times {
            deadline: self.deadline,
            margin: self.deadline_margin,
            attempt: self.attempt_timeout,
        }
    }
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
