//! What a pipeline asks of its parts: to be made of a configuration, and to take another one while they run.

mod knobs;
mod policies;
mod times;

use std::{fmt, sync::Arc};

use msf_core::metrics::Metrics;

pub(super) use self::times::Total;
use super::invalid::Findings;

/// A policy that a section of a configuration describes.
pub(super) trait Part: Sized {
    type Config;
    type Invalid: Knob;

    fn make(
        name: &Arc<str>,
        config: &Self::Config,
        metrics: Option<&Metrics>,
    ) -> Result<Self, Self::Invalid>;

    /// Whether `apply` would take it.
    fn check(&self, config: &Self::Config) -> Result<(), Self::Invalid>;

    /// A key of the section whose change needs a restart, and why; if it has changed.
    fn fixed(&self, _config: &Self::Config) -> Option<(&'static str, &'static str)> {
        None
    }

    fn apply(&self, config: &Self::Config) -> Result<(), Self::Invalid>;
}

/// The error of a part, which knows the setting at fault.
pub(super) trait Knob: fmt::Display {
    /// The setting by its key in the part's section; empty if it is none of them.
    fn knob(&self) -> &'static str;
}

/// The place of a part in a pipeline.
#[derive(Clone, Debug)]
pub(super) struct Place<P> {
    pub(super) part: Option<P>,
    /// Whether code gave it, who goes on looking after it.
    is_given: bool,
}

/// Makes the parts of one pipeline.
pub(super) struct Making<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) metrics: Option<&'a Metrics>,
    pub(super) findings: &'a mut Findings,
}

impl Making<'_> {
    /// The part that was given, or the one that the section describes.
    pub(super) fn make<P: Part>(
        &mut self,
        key: &str,
        given: Option<P>,
        section: Option<&P::Config>,
    ) -> Place<P> {
        let (name, metrics) = (self.name, self.metrics);
        self.make_by(key, given, section, |section| {
            P::make(name, section, metrics)
        })
    }

    /// As [`make`](Self::make), of a part that needs to know of another.
    pub(super) fn make_by<P: Part>(
        &mut self,
        key: &str,
        given: Option<P>,
        section: Option<&P::Config>,
        make: impl FnOnce(&P::Config) -> Result<P, P::Invalid>,
    ) -> Place<P> {
        let is_given = given.is_some();
        let part = given.or_else(|| self.findings.check(key, make(section?)));
        Place { part, is_given }
    }

    /// As [`make`](Self::make), of a part that is given by its section.
    pub(super) fn make_of<P: Part>(
        &mut self,
        key: &str,
        given: Option<&P::Config>,
        section: Option<&P::Config>,
    ) -> Place<P> {
        Place {
            is_given: given.is_some(),
            ..self.make(key, None, given.or(section))
        }
    }
}

impl<P> Place<P> {
    pub(super) const fn of(part: Option<P>, is_given: bool) -> Self {
        Self { part, is_given }
    }

    /// Whether there is a part that a section is for. One that comes or goes needs a restart.
    pub(super) fn check_presence(
        &self,
        key: &str,
        is_described: bool,
        findings: &mut Findings,
    ) -> bool {
        if self.is_given {
            return false;
        }
        match (self.part.is_some(), is_described) {
            (true, false) => {
                findings.report(key, "it is in use: to take it away needs a restart");
            }
            (false, true) => findings.report(key, "it is not in use: to add it needs a restart"),
            (true, true) | (false, false) => {}
        }
        self.part.is_some() && is_described
    }

    /// The part, if a configuration may change it.
    pub(super) fn described(&self) -> Option<&P> {
        self.part.as_ref().filter(|_| !self.is_given)
    }
}

impl<P: Part> Place<P> {
    /// Reports what of a section the running part could not take.
    pub(super) fn check(&self, key: &str, section: Option<&P::Config>, findings: &mut Findings) {
        if self.check_presence(key, section.is_some(), findings)
            && let (Some(part), Some(section)) = (&self.part, section)
        {
            // What cannot work at all need not be said to need a restart as well.
            if findings.check(key, part.check(section)).is_some()
                && let Some((knob, reason)) = part.fixed(section)
            {
                findings.report(format!("{key}.{knob}"), reason);
            }
        }
    }

    /// Gives the part a section that [`check`](Self::check) had nothing against.
    pub(super) fn apply(&self, key: &str, section: Option<&P::Config>, findings: &mut Findings) {
        if let (Some(part), Some(section)) = (self.described(), section) {
            findings.check(key, part.apply(section));
        }
    }
}
