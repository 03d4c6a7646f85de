//! The decision: a pure function.

use std::fmt;

use super::{Node, PathParams, Policy};
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
}

/// What a caller lacks; for the log, and for the scope of the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing<'a> {
    /// This scope.
    Scope(&'a str),
    /// To be of this issuer.
    Issuer(&'a str),
    /// To be this service.
    Service(&'a str),
    /// The policy lets nobody pass.
    Nobody,
}

impl Policy {
    /// Whether this caller may pass.
    ///
    /// A parameter that [`owner`](super::owner) names and the path does not have, or has twice, lets nobody pass.
    pub fn decide(&self, caller: Option<&Principal>, params: &PathParams) -> Decision<'_> {
        self.0.decide(caller, params)
    }
}

impl Node {
    fn decide(&self, caller: Option<&Principal>, params: &PathParams) -> Decision<'_> {
        if matches!(self, Self::Public) {
            return Decision::Allow;
        }
        if let Self::Any(nodes) = self {
            return any(nodes, caller, params);
        }
        let Some(caller) = caller else {
            return match self {
                Self::All(nodes) => all(nodes, None, params),
                _ => Decision::Unauthenticated,
            };
        };
        match self {
            Self::Public | Self::Authenticated => Decision::Allow,
            Self::Scope(scope) => allow_if(
                caller.has_scope(scope),
                Decision::Forbidden(Missing::Scope(scope)),
            ),
            Self::Issuer(issuer) => allow_if(
                caller.issuer() == &**issuer,
                Decision::Forbidden(Missing::Issuer(issuer)),
            ),
            Self::Owner(parameter) => {
                let is_own = params.get(parameter) == Some(caller.subject());
                allow_if(is_own && !caller.is_service(), Decision::Hidden)
            }
            Self::Service(name) => allow_if(
                caller.is_service() && caller.subject() == &**name,
                Decision::Forbidden(Missing::Service(name)),
            ),
            Self::Any(nodes) => any(nodes, Some(caller), params),
            Self::All(nodes) => all(nodes, Some(caller), params),
        }
    }
}

const fn allow_if(is_allowed: bool, otherwise: Decision<'_>) -> Decision<'_> {
    if is_allowed {
        Decision::Allow
    } else {
        otherwise
    }
}

fn any<'a>(nodes: &'a [Node], caller: Option<&Principal>, params: &PathParams) -> Decision<'a> {
    let mut refusal = nobody(caller);
    for node in nodes {
        match node.decide(caller, params) {
            Decision::Allow => return Decision::Allow,
            other => refusal = quieter(refusal, other),
        }
    }
    refusal
}

fn all<'a>(nodes: &'a [Node], caller: Option<&Principal>, params: &PathParams) -> Decision<'a> {
    let mut decision = if nodes.is_empty() {
        nobody(caller)
    } else {
        Decision::Allow
    };
    for node in nodes {
        decision = quieter(decision, node.decide(caller, params));
    }
    decision
}

const fn nobody(caller: Option<&Principal>) -> Decision<'static> {
    if caller.is_some() {
        Decision::Forbidden(Missing::Nobody)
    } else {
        Decision::Unauthenticated
    }
}

/// The one that tells the caller less; of two alike the first, unless it names nothing.
fn quieter<'a>(first: Decision<'a>, second: Decision<'a>) -> Decision<'a> {
    if matches!(first, Decision::Forbidden(Missing::Nobody)) && second != Decision::Allow {
        return second;
    }
    if rank(second) > rank(first) {
        second
    } else {
        first
    }
}

const fn rank(decision: Decision<'_>) -> u8 {
    match decision {
        Decision::Allow => 0,
        Decision::Forbidden(_) => 1,
        Decision::Hidden => 2,
        Decision::Unauthenticated => 3,
    }
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
        match self {
            Self::Allow => None,
            Self::Unauthenticated => Some(Refusal::NoCredentials),
            Self::Hidden => Some(Refusal::Hidden),
            Self::Forbidden(Missing::Scope(scope)) => Some(Refusal::Forbidden {
                scope: Some(scope.into()),
            }),
            Self::Forbidden(_) => Some(Refusal::Forbidden { scope: None }),
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
            Self::Forbidden(Missing::Issuer(issuer)) => write!(f, "needs issuer({issuer})"),
            Self::Forbidden(Missing::Service(name)) => write!(f, "needs service({name})"),
            Self::Forbidden(Missing::Nobody) => f.write_str("nobody may"),
        }
    }
}
