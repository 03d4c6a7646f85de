//! What a policy says.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use msf_core::clock::WallClock;

use super::{Node, PathParams, Policy, evaluate::Facts};
use crate::{principal::Principal, refusal::Refusal};

/// What a [`Policy`] says about a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever enforces a policy must handle every outcome"
)]
#[must_use]
pub enum Decision<'a> {
    /// It may pass.
    Allow,
    /// It has to say who it is: 401.
    Unauthenticated,
    /// The resource is another's, so for this caller there is none: 404.
    Hidden,
    /// It is known and may not: 403.
    Forbidden(Missing<'a>),
    /// It may once it has authenticated again, or better: 401 with a challenge that says how (RFC 9470).
    StepUp(StepUp<'a>),
    /// The [`external`](super::external) decision of this name is needed and could not be had: 503.
    Undecided(&'a str),
}

/// What a caller lacks; for the log, and for the scope of the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing<'a> {
    /// This scope.
    Scope(&'a str),
    /// This role.
    Role(&'a str),
    /// The right value of this claim.
    Claim(&'a str),
    /// To be of this issuer.
    Issuer(&'a str),
    /// To call through this client.
    Client(&'a str),
    /// To be this service.
    Service(&'a str),
    /// To be a user.
    User,
    /// The consent of the external decision of this name.
    External(&'a str),
    /// Not to be among those whom a [`not`](super::not) leaves out.
    Exclusion,
    /// The policy lets nobody pass.
    Nobody,
}

/// How a caller has to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepUp<'a> {
    /// In this class of authentication (`acr`).
    Acr(&'a str),
    /// With more than one factor.
    Mfa,
    /// No longer ago than this.
    #[non_exhaustive]
    MaxAge {
        /// In seconds.
        seconds: u64,
    },
}

impl Policy {
    /// Whether this caller may pass.
    ///
    /// A parameter that [`owner`](super::owner) or [`tenant`](super::tenant) names and the path does not have, or
    /// has twice, lets nobody pass. [`external`](super::external) decisions are not asked for here: where one is
    /// needed, the caller does not pass.
    pub fn decide(&self, caller: Option<&Principal>, params: &PathParams) -> Decision<'_> {
        let now_s = if self.needs_time() {
            WallClock::system().unix_seconds()
        } else {
            0
        };
        self.decide_at_s(caller, params, now_s)
    }

    /// As [`decide`](Self::decide), with the time by which [`max_auth_age`](super::max_auth_age) measures.
    pub fn decide_at(
        &self,
        caller: Option<&Principal>,
        params: &PathParams,
        now: SystemTime,
    ) -> Decision<'_> {
        self.decide_at_s(caller, params, unix_seconds(now))
    }

    fn decide_at_s(
        &self,
        caller: Option<&Principal>,
        params: &PathParams,
        now_s: u64,
    ) -> Decision<'_> {
        let facts = Facts {
            caller,
            params,
            now_s,
            answers: &[],
        };
        self.0.evaluate(facts).decision()
    }

    /// Whether a decision depends on the time.
    pub(crate) fn needs_time(&self) -> bool {
        self.0.has(|node| matches!(node, Node::MaxAuthAge(_)))
    }
}

pub(super) fn unix_seconds(now: SystemTime) -> u64 {
    // Before 1970 no authentication is young enough.
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Decision<'_> {
    /// Whether the caller may pass.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow)
    }

    /// The answer to a caller that may not pass; `None` for one that may.
    #[must_use]
    pub fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::Allow => return None,
            Self::Unauthenticated => Refusal::NoCredentials,
            Self::Hidden => Refusal::Hidden,
            Self::Forbidden(Missing::Scope(scope)) => Refusal::Forbidden {
                scope: Some(scope.into()),
            },
            Self::Forbidden(_) => Refusal::Forbidden { scope: None },
            Self::StepUp(step_up) => Refusal::StepUp {
                acr: match step_up {
                    StepUp::Acr(acr) => Some(acr.into()),
                    StepUp::Mfa | StepUp::MaxAge { .. } => None,
                },
                max_age: match step_up {
                    StepUp::MaxAge { seconds } => Some(Duration::from_secs(seconds)),
                    StepUp::Acr(_) | StepUp::Mfa => None,
                },
            },
            Self::Undecided(_) => Refusal::Undecided,
        })
    }

    /// The word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Unauthenticated => "unauthenticated",
            Self::Hidden => "hidden",
            Self::Forbidden(_) => "forbidden",
            Self::StepUp(_) => "step_up",
            Self::Undecided(_) => "undecided",
        }
    }
}

/// For the log: `needs scope(orders:read)`.
impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allowed"),
            Self::Unauthenticated => f.write_str("no credentials"),
            Self::Hidden => f.write_str("not the owner"),
            Self::Forbidden(Missing::Scope(scope)) => write!(f, "needs scope({scope})"),
            Self::Forbidden(Missing::Role(role)) => write!(f, "needs role({role})"),
            Self::Forbidden(Missing::Claim(name)) => write!(f, "needs claim({name})"),
            Self::Forbidden(Missing::Issuer(issuer)) => write!(f, "needs issuer({issuer})"),
            Self::Forbidden(Missing::Client(client)) => write!(f, "needs client({client})"),
            Self::Forbidden(Missing::Service(name)) => write!(f, "needs service({name})"),
            Self::Forbidden(Missing::User) => f.write_str("needs user"),
            Self::Forbidden(Missing::External(name)) => write!(f, "needs external({name})"),
            Self::Forbidden(Missing::Exclusion) => f.write_str("is excluded"),
            Self::Forbidden(Missing::Nobody) => f.write_str("nobody may"),
            Self::StepUp(StepUp::Acr(acr)) => write!(f, "needs acr({acr})"),
            Self::StepUp(StepUp::Mfa) => f.write_str("needs mfa"),
            Self::StepUp(StepUp::MaxAge { seconds }) => {
                write!(f, "needs max_auth_age({seconds}s)")
            }
            Self::Undecided(name) => write!(f, "external({name}) could not be asked"),
        }
    }
}
