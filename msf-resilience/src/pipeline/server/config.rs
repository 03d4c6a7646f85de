//! A server's pipeline as it is written in a file.

use msf_core::config::{Config, Problems};
use serde::{Deserialize, Serialize};

use super::{builder::http_server, handle::Parts};
use crate::{
    adaptive::{self, AdaptiveLimit},
    bulkhead::{self, Bulkhead},
    deadline,
    load_shed::{self, LoadShed, LoadShedBuilder},
    pipeline::invalid::Findings,
    rate_limit::{self, key::KeySource},
};

/// A server's pipeline as serde reads it: a section for each part; a part whose section is left out is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How long requests may take; it is read from their headers.
    pub deadline: Option<deadline::Config>,
    /// What matters least is refused first, when the limit below is nearly reached.
    pub load_shed: Option<load_shed::Config>,
    /// So many requests per time of each key.
    pub rate_limit: Option<rate_limit::Config>,
    /// So many requests at once, as many as latency shows to be good. Not beside `bulkhead`.
    pub adaptive: Option<adaptive::Config>,
    /// So many requests at once. Not beside `adaptive`.
    pub bulkhead: Option<bulkhead::Config>,
}

/// What tells a load shed that there is too much: the limit inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside<'a> {
    pub(super) adaptive: Option<&'a AdaptiveLimit>,
    pub(super) bulkhead: Option<&'a Bulkhead>,
}

impl Inside<'_> {
    pub(super) fn shed(&self, name: &str, config: &load_shed::Config) -> LoadShedBuilder {
        let builder = LoadShed::builder(name).config(config);
        let builder = match self.adaptive {
            Some(limit) => builder.signal(limit.clone()),
            None => builder,
        };
        match self.bulkhead {
            Some(bulkhead) => builder.signal(bulkhead.clone()),
            None => builder,
        }
    }
}

impl ServerConfig {
    /// Reports what of this a running pipeline could not take.
    pub(super) fn check<K: KeySource, P>(&self, parts: &Parts<K, P>, findings: &mut Findings) {
        parts
            .deadline
            .check("deadline", self.deadline.as_ref(), findings);
        if parts
            .load_shed
            .check_presence("load_shed", self.load_shed.is_some(), findings)
            && let Some(section) = &self.load_shed
        {
            let builder = parts.inside().shed(&parts.name, section);
            findings.check("load_shed", builder.check());
        }
        parts
            .rate_limit
            .check("rate_limit", self.rate_limit.as_ref(), findings);
        parts
            .adaptive
            .check("adaptive", self.adaptive.as_ref(), findings);
        parts
            .bulkhead
            .check("bulkhead", self.bulkhead.as_ref(), findings);
    }

    /// Gives the parts what [`check`](Self::check) had nothing against.
    pub(super) fn apply<K: KeySource, P>(&self, parts: &Parts<K, P>, findings: &mut Findings) {
        parts
            .deadline
            .apply("deadline", self.deadline.as_ref(), findings);
        if let (Some(shed), Some(section)) = (parts.load_shed.described(), &self.load_shed) {
            let builder = parts.inside().shed(&parts.name, section);
            findings.check("load_shed", shed.reconfigure(builder));
        }
        parts
            .rate_limit
            .apply("rate_limit", self.rate_limit.as_ref(), findings);
        parts
            .adaptive
            .apply("adaptive", self.adaptive.as_ref(), findings);
        parts
            .bulkhead
            .apply("bulkhead", self.bulkhead.as_ref(), findings);
    }
}

/// So that a [`Loader`](msf_core::config::Loader) reports what could not work at its key, with file and line.
impl Config for ServerConfig {
    type Resolved = Self;

    fn resolve(self, problems: &mut Problems<'_>) -> Option<Self> {
        match http_server("checked").config(&self).build() {
            Ok(_) => Some(self),
            Err(invalid) => {
                invalid.report(problems);
                None
            }
        }
    }
}
