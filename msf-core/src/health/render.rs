//! Bodies: `application/health+json` and text for people.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{
    builder::Identity,
    report::{CheckReport, Outcome, Report},
    state::Status,
};

pub(super) fn live_json(identity: &Identity) -> Bytes {
    json(&Document::new(identity, Outcome::Pass))
}

pub(super) fn ready_json(identity: &Identity, report: &Report) -> Bytes {
    let mut document = Document::new(identity, report.outcome);
    document.checks = Checks(&report.checks);
    document.output = match report.status {
        Status::Ready => None,
        status => Some(status.as_str()),
    };
    json(&document)
}

pub(super) fn live_text() -> Bytes {
    Bytes::from_static(b"[+]ping ok\nlivez check passed\n")
}

/// One line per check in the manner of Kubernetes: `+` passes, `-` fails, `!` fails softly.
pub(super) fn ready_text(report: &Report, name: &str) -> Bytes {
    let mut text = String::new();
    match report.status {
        Status::Ready => text.push_str("[+]serving ok\n"),
        status => line(&mut text, format_args!("[-]serving failed: {status}")),
    }
    for CheckReport {
        name,
        outcome,
        failure,
        ..
    } in &report.checks
    {
        let failure = failure.as_deref().unwrap_or_default();
        match outcome {
            Outcome::Pass => line(&mut text, format_args!("[+]{name} ok")),
            Outcome::Warn => line(
                &mut text,
                format_args!("[!]{name} failed (soft): {failure}"),
            ),
            Outcome::Fail => line(&mut text, format_args!("[-]{name} failed: {failure}")),
        }
    }
    let end = if report.is_ready() {
        "passed"
    } else {
        "failed"
    };
    line(&mut text, format_args!("{name} check {end}"));
    text.into()
}

/// The shape of draft-inadarei-api-health-check-06.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_id: Option<&'a str>,
    service_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'static str>,
    #[serde(skip_serializing_if = "Checks::is_empty")]
    checks: Checks<'a>,
}

impl<'a> Document<'a> {
    fn new(identity: &'a Identity, outcome: Outcome) -> Self {
        Self {
            status: outcome.as_str(),
            version: identity.version.as_deref(),
            release_id: identity.release_id.as_deref(),
            service_id: &identity.service_id,
            description: identity.description.as_deref(),
            output: None,
            checks: Checks(&[]),
        }
    }
}

struct Checks<'a>(&'a [CheckReport]);

impl Checks<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Checks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The draft allows several measurements per key; a check is one.
        serializer.collect_map(
            self.0
                .iter()
                .map(|check| (&*check.name, [Entry::new(check)])),
        )
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    component_type: Option<&'a str>,
    observed_value: f64,
    observed_unit: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(check: &'a CheckReport) -> Self {
        Self {
            status: check.outcome.as_str(),
            component_type: check.component_type.as_deref(),
            observed_value: milliseconds(check.took),
            observed_unit: "ms",
            time: humantime::format_rfc3339_seconds(check.time).to_string(),
            output: check.failure.as_deref(),
        }
    }
}

fn json(document: &Document<'_>) -> Bytes {
    let body = serde_json::to_vec(document).expect("strings and finite numbers are JSON");
    body.into()
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string never fails");
}

/// With microseconds behind the point: many checks take less than one.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
