//! A client's pipeline as it is written in a file.

use std::mem;

use msf_core::config::{Config, Problems};
use serde::{Deserialize, Serialize};

use super::{builder::http_client, handle::Parts};
use crate::{
    bulkhead, circuit_breaker,
    pipeline::{invalid::Findings, part},
    rate_limit,
};

/// A client's pipeline as serde reads it: a section for each part; a part whose section is left out is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientConfig {
    /// So many calls per time.
    pub rate_limit: Option<rate_limit::Config>,
    /// So many calls at once.
    pub bulkhead: Option<bulkhead::Config>,
    /// Fails fast while the callee fails.
    pub breaker: Option<circuit_breaker::Config>,
}

impl ClientConfig {
    /// What of this a running pipeline could not take.
    pub(super) fn check(&self, parts: &Parts, findings: &mut Findings) {
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
    }

    pub(super) fn apply(&self, parts: &Parts, breaker_is_off: &mut bool, findings: &mut Findings) {
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
