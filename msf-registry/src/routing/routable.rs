//! From everything that is known about an instance to whether it is called.

use serde::{Serialize, Serializer};

use crate::model::{Health, Status};

/// Whether an instance is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Ejection {
    /// Nothing against it.
    #[default]
    None,
    /// It is left alone for a while.
    Ejected,
    /// The while is over: one call finds out.
    Probing,
}

impl Routable {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Degraded => "degraded",
            Self::LastResort => "last_resort",
            Self::No(_) => "no",
        }
    }
}

impl Serialize for Routable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
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
///
/// | what is known | it is called |
/// |---|---|
/// | it is starting, out of service or down | never |
/// | it fails its checks | in panic |
/// | its calls failed | in panic, or when nobody else is there |
/// | it drains | when nobody else works |
/// | it is degraded | when too few others work |
/// | it is up, checked or not, probed or not | yes |
///
/// The first row that fits counts.
pub(crate) const fn routable(
    status: Status,
    operator: Option<Status>,
    health: Health,
    ejection: Ejection,
) -> Routable {
    match (effective(status, operator), health, ejection) {
        (Status::Starting, _, _) => Routable::No(Why::Starting),
        (Status::OutOfService, _, _) => Routable::No(Why::OutOfService),
        (Status::Down, _, _) => Routable::No(Why::Down),
        (_, Health::Unhealthy, _) => Routable::No(Why::Unhealthy),
        (_, _, Ejection::Ejected) => Routable::No(Why::Ejected),
        (Status::Draining, _, _) => Routable::LastResort,
        (Status::Degraded, _, _) => Routable::Degraded,
        (Status::Up, _, _) => Routable::Yes,
    }
}

/// What an operator says counts, but nobody can say for an instance that it is ready, stays or works: when it says
/// itself that it is starting, drains or is down, an operator can only say something worse.
pub(crate) const fn effective(own: Status, operator: Option<Status>) -> Status {
    let Some(operator) = operator else {
        return own;
    };
    let is_worse = match own {
        Status::Up | Status::Degraded | Status::OutOfService => return operator,
        Status::Draining => matches!(
            operator,
            Status::Starting | Status::OutOfService | Status::Down
        ),
        Status::Starting | Status::Down => matches!(operator, Status::OutOfService | Status::Down),
    };
    if is_worse { operator } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Status = Status::Up;
    const ALL: [Status; 6] = [
        Status::Up,
        Status::Degraded,
        Status::Starting,
        Status::Draining,
        Status::OutOfService,
        Status::Down,
    ];
    const HEALTHS: [Health; 3] = [Health::Healthy, Health::Unhealthy, Health::Unknown];
    const EJECTIONS: [Ejection; 3] = [Ejection::None, Ejection::Ejected, Ejection::Probing];

    #[test]
    fn what_it_says_itself_is_asked_first() {
        use {Ejection as E, Health as H, Routable as R};
        let table = [
            (UP, H::Healthy, E::None, R::Yes),
            (UP, H::Unknown, E::None, R::Yes),
            (UP, H::Unknown, E::Probing, R::Yes),
            (UP, H::Healthy, E::Ejected, R::No(Why::Ejected)),
            (UP, H::Unhealthy, E::None, R::No(Why::Unhealthy)),
            (UP, H::Unhealthy, E::Ejected, R::No(Why::Unhealthy)),
            (Status::Degraded, H::Healthy, E::None, R::Degraded),
            (
                Status::Degraded,
                H::Healthy,
                E::Ejected,
                R::No(Why::Ejected),
            ),
            (Status::Draining, H::Healthy, E::None, R::LastResort),
            (
                Status::Draining,
                H::Unhealthy,
                E::None,
                R::No(Why::Unhealthy),
            ),
            (
                Status::Draining,
                H::Healthy,
                E::Ejected,
                R::No(Why::Ejected),
            ),
            (Status::Starting, H::Healthy, E::None, R::No(Why::Starting)),
            (
                Status::OutOfService,
                H::Unhealthy,
                E::Ejected,
                R::No(Why::OutOfService),
            ),
            (Status::Down, H::Healthy, E::None, R::No(Why::Down)),
        ];
        for (status, health, ejection, expected) in table {
            assert_eq!(
                routable(status, None, health, ejection),
                expected,
                "{status:?} {health:?} {ejection:?}"
            );
        }
    }

    #[test]
    fn an_operator_may_take_out_but_not_make_work() {
        let table = [
            // Own, the operator's, what counts.
            (UP, Status::OutOfService, Status::OutOfService),
            (UP, Status::Draining, Status::Draining),
            (UP, Status::Degraded, Status::Degraded),
            (Status::OutOfService, UP, UP),
            (Status::Degraded, UP, UP),
            (Status::Starting, UP, Status::Starting),
            (Status::Starting, Status::Draining, Status::Starting),
            (Status::Starting, Status::OutOfService, Status::OutOfService),
            (Status::Draining, UP, Status::Draining),
            (Status::Draining, Status::OutOfService, Status::OutOfService),
            (Status::Down, UP, Status::Down),
            (Status::Down, Status::Degraded, Status::Down),
        ];
        for (own, operator, expected) in table {
            assert_eq!(
                effective(own, Some(operator)),
                expected,
                "{own:?} {operator:?}"
            );
        }
    }

    /// All 324 cases, against the rules one by one.
    #[test]
    fn every_case_follows_the_rules() {
        for (own, operator) in ALL.into_iter().flat_map(|own| {
            let operators = ALL.map(Some).into_iter().chain([None]);
            operators.map(move |operator| (own, operator))
        }) {
            for (health, ejection) in HEALTHS.into_iter().flat_map(|h| EJECTIONS.map(|e| (h, e))) {
                let seen = routable(own, operator, health, ejection);
                let status = effective(own, operator);
                let is_out = matches!(
                    status,
                    Status::Starting | Status::OutOfService | Status::Down
                );
                let is_ill = health == Health::Unhealthy || ejection == Ejection::Ejected;
                assert_eq!(matches!(seen, Routable::No(_)), is_out || is_ill);
                assert_eq!(seen == Routable::Yes, status == UP && !is_ill);
                assert!(
                    matches!(own, Status::Up | Status::Degraded | Status::OutOfService)
                        || seen != Routable::Yes
                );
            }
        }
    }
}
