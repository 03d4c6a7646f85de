//! From everything that is known about an instance to whether it is called.

use serde::Serialize;

use crate::model::{Health, Status};

/// Whether an instance is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Routable {
    /// It is.
    Yes,
    /// Only when too few others are.
    Degraded,
    /// Only when there is nobody else.
    LastResort,
    /// It is not.
    No(Why),
}

/// Why an instance is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It is not ready yet.
    Starting,
    /// It was taken out on purpose.
    OutOfService,
    /// It says that it does not work.
    Down,
    /// It does not answer its health checks.
    Unhealthy,
    /// Its calls failed.
    Ejected,
}

/// What the calls of this process say about an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ejection {
    /// Nothing against it.
    #[default]
    None,
    /// It is left alone for a while.
    Ejected,
    /// The while is over: one call finds out.
    Probing,
}

impl Why {
    /// The word in JSON and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::OutOfService => "out_of_service",
            Self::Down => "down",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
        }
    }
}

/// Whether an instance is called: the one place where it is decided.
pub(crate) const fn routable(
    status: Status,
    operator: Option<Status>,
    health: Health,
    ejection: Ejection,
) -> Routable {
    match effective(status, operator) {
        Status::Starting => Routable::No(Why::Starting),
        Status::OutOfService => Routable::No(Why::OutOfService),
        Status::Down => Routable::No(Why::Down),
        status => match (health, ejection) {
            (Health::Unhealthy, _) => Routable::No(Why::Unhealthy),
            (_, Ejection::Ejected) => Routable::No(Why::Ejected),
            _ => match status {
                Status::Draining => Routable::LastResort,
                Status::Degraded => Routable::Degraded,
                _ => Routable::Yes,
            },
        },
    }
}

/// An operator may say anything, except that an instance can work that knows that it cannot.
pub(crate) const fn effective(own: Status, operator: Option<Status>) -> Status {
    match (operator, own) {
        (
            Some(Status::Up | Status::Degraded),
            Status::Starting | Status::Draining | Status::Down,
        ) => own,
        (Some(Status::Draining), Status::Starting | Status::Down) => own,
        (Some(operator), _) => operator,
        (None, own) => own,
    }
}
