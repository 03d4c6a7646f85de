//! What a probe learns, typed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    check::Severity,
    flight::{Finding, Flight},
    state::Status,
};

/// Pass, warn or fail: of one check or of the whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three words of the health+json draft"
)]
pub enum Outcome {
    /// All is well.
    Pass,
    /// Something soft fails; the service is ready.
    Warn,
    /// Not ready.
    Fail,
}

impl Outcome {
    /// `pass`, `warn` or `fail`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The readiness of a service at one moment. Made by [`Health::report`](super::Health::report).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use msf_core::health::{Check, Health, Outcome};
///
/// let health = Health::new("orders");
/// health.add(Check::new("cache", || async { Err("connection refused") }).soft())?;
/// health.set_ready();
///
/// let report = health.report().await;
/// assert!(report.is_ready());
/// assert_eq!(report.outcome, Outcome::Warn);
/// assert_eq!(report.checks[0].failure.as_deref(), Some("check failed"));
/// # Ok::<(), msf_core::health::AddCheckError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Where in its life the service is.
    pub status: Status,
    /// Readiness: [`Outcome::Fail`] unless the service is [`Status::Ready`] and no hard check fails.
    pub outcome: Outcome,
    /// The checks in the order in which they were added; none while draining.
    pub checks: Vec<CheckReport>,
}

impl Report {
    pub(super) fn new(status: Status, checks: Vec<CheckReport>) -> Self {
        let outcome = if status == Status::Ready {
            let outcomes = checks.iter().map(|check| check.outcome);
            outcomes.max().unwrap_or(Outcome::Pass)
        } else {
            Outcome::Fail
        };
        Self {
            status,
            outcome,
            checks,
        }
    }

    /// Whether to send traffic here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.outcome != Outcome::Fail
    }
}

/// The last result of one check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// The check's name.
    pub name: Arc<str>,
    /// `componentType` if the check has one.
    pub component_type: Option<Arc<str>>,
    /// What it does to readiness.
    pub severity: Severity,
    /// [`Outcome::Warn`] if it is soft and fails.
    pub outcome: Outcome,
    /// What the public may know of the failure.
    pub failure: Option<String>,
    /// How long the run took.
    pub took: Duration,
    /// When the run ended, by the wall clock.
    pub time: SystemTime,
}

impl CheckReport {
    pub(super) fn new(flight: &Flight, finding: Finding) -> Self {
        let check = flight.check();
        Self {
            name: Arc::clone(&check.name),
            component_type: check.component_type.clone(),
            severity: check.severity,
            outcome: match (&finding.failure, check.severity) {
                (None, _) => Outcome::Pass,
                (Some(_), Severity::Soft) => Outcome::Warn,
                (Some(_), Severity::Hard) => Outcome::Fail,
            },
            failure: finding.failure,
            took: finding.took,
            time: finding.time,
        }
    }
}
