//! Who may do what, written down beside the route and decided before the handler runs.
//!
//! A [`Policy`] is a value: it can be printed, compared and listed. [`Policy::decide`] is a pure function of
//! the caller and of the parameters of the path.
//!
//! ```
//! use msf_auth::policy::{Decision, PathParams, any, authenticated, owner, scope};
//!
//! let policy = any([scope("users:admin"), owner("id")]);
//! assert_eq!(policy.to_string(), "any(scope(users:admin), owner(id))");
//! assert_eq!(policy.decide(None, &PathParams::none()), Decision::Unauthenticated);
//! assert_eq!(authenticated().to_string(), "authenticated");
//! ```
//!
//! # What a refusal says
//!
//! A caller without credentials gets 401. A known caller that lacks a scope, or is not the service that was
//! asked for, gets 403. A caller that asks for another's resource ([`owner`], [`tenant`]) gets 404, since 403 would
//! tell that the resource exists. One that has to authenticate again or better ([`acr`], [`mfa`], [`max_auth_age`])
//! gets 401 with the challenge of RFC 9470. Where several apply, the one that tells less wins: 401 without
//! credentials, 404, 503 of an [`external`] decision that could not be had, 403, then the challenge.
//!
//! # Where nothing is known
//!
//! A path without the parameter that [`owner`] names, a token without the time that [`max_auth_age`] asks for, an
//! [`external`] decision that could not be had, a claim of another type than the policy asks for: then it is not known
//! whether the caller may pass, and it does not, also under [`not`].
//!
//! # As text
//!
//! [`Display`](std::fmt::Display) writes a policy and [`FromStr`](std::str::FromStr) reads it back; a file may have it
//! as a text, or `any`, `all` and `not` as tables. [`Policies`] are those of a whole service.

mod caller;
mod claim_value;
mod decide;
mod denied;
mod display;
mod error;
mod evaluate;
mod explain;
mod external;
mod list;
mod node;
mod params;
mod parse;
mod serial;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod text;

pub use self::{
    claim_value::ClaimValue,
    decide::{Decision, Missing, StepUp},
    error::InvalidPolicy,
    explain::{Explanation, Step, Verdict},
    external::{Answer, Decide, Decider, Question},
    list::{InvalidPolicies, Policies},
    params::PathParams,
};
pub(crate) use self::{
    denied::denied,
    evaluate::{Facts, Outcome},
    list::{Verb, find},
    node::Node,
};

use std::time::Duration;

/// Who may pass. Made by the functions of [this module](self), or read from a text.
///
/// ```
/// use msf_auth::{Policy, policy::{any, owner, scope}};
///
/// let policy: Policy = "any(scope(users:admin), owner(id))".parse()?;
/// assert_eq!(policy, any([scope("users:admin"), owner("id")]));
/// # Ok::<(), msf_auth::policy::InvalidPolicy>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy(pub(crate) Node);

/// Everybody, with or without a token.
pub const fn public() -> Policy {
    Policy(Node::Public)
}

/// Everybody with a valid token, users and services.
pub const fn authenticated() -> Policy {
    Policy(Node::Authenticated)
}

/// Callers whose token has this scope.
pub fn scope(scope: impl Into<Box<str>>) -> Policy {
    Policy(Node::Scope(scope.into()))
}

/// Callers whose token is of this issuer.
pub fn issuer(issuer: impl Into<Box<str>>) -> Policy {
    Policy(Node::Issuer(issuer.into()))
}

/// The user whose subject is the path parameter of this name.
///
/// A service never passes, even if it has the user's number for a name. Where several issuers are trusted for users
/// nobody passes, since each may have a `7`, and a layer or router with a [`Verifier`](crate::Verifier) is not built:
/// say which one names them, with [`owner_of`].
pub fn owner(parameter: impl Into<Box<str>>) -> Policy {
    Policy(Node::Owner(parameter.into(), None))
}

/// As [`owner`], of the users that this issuer names: it is compared with the caller's
/// [`subject_issuer`](crate::Principal::subject_issuer).
///
/// ```
/// use msf_auth::policy::owner_of;
///
/// let policy = owner_of("https://user.shop", "id");
/// assert_eq!(policy.to_string(), "owner(id, https://user.shop)");
/// ```
pub fn owner_of(issuer: impl Into<Box<str>>, parameter: impl Into<Box<str>>) -> Policy {
    Policy(Node::Owner(parameter.into(), Some(issuer.into())))
}

/// The service of this name, calling in its own name.
pub fn service(name: impl Into<Box<str>>) -> Policy {
    Policy(Node::Service(name.into()))
}

/// Callers that pass one of the policies; nobody when there is none.
pub fn any(policies: impl IntoIterator<Item = Policy>) -> Policy {
    Policy(Node::Any(policies.into_iter().map(|p| p.0).collect()))
}

/// Callers that pass all of the policies; nobody when there is none.
pub fn all(policies: impl IntoIterator<Item = Policy>) -> Policy {
    Policy(Node::All(policies.into_iter().map(|p| p.0).collect()))
}

/// Callers that are a user: not a service.
pub const fn user() -> Policy {
    Policy(Node::User)
}

/// Callers that have this role: the claim `roles` (RFC 9068 section 2.2.3.1) is it, or is a list that has it.
///
/// For issuers that keep roles elsewhere there is [`claim`].
pub fn role(role: impl Into<Box<str>>) -> Policy {
    Policy(Node::Role(role.into()))
}

/// Callers whose token has this claim with this value, or with a list that has it.
///
/// A name that begins with `/` is a pointer into a claim (RFC 6901). Claims that are no property of a caller, or that
/// another policy reads as they are meant, are not asked like this, also not by a pointer: with `iss`, `sub`, `aud`,
/// `exp`, `nbf`, `iat`, `jti`, `scope` or `msf_kind` nobody passes, and a text that says so is an error.
///
/// ```
/// use msf_auth::policy::claim;
///
/// assert_eq!(claim("/realm_access/roles", "admin").to_string(), "claim(/realm_access/roles, admin)");
/// ```
pub fn claim(name: impl Into<Box<str>>, value: impl Into<ClaimValue>) -> Policy {
    Policy(Node::Claim(name.into(), value.into()))
}

/// Callers that came through this OAuth client.
pub fn client(id: impl Into<Box<str>>) -> Policy {
    Policy(Node::Client(id.into()))
}

/// Callers whose tenant is the path parameter of this name; to others there is nothing. The empty text is no tenant.
pub fn tenant(parameter: impl Into<Box<str>>) -> Policy {
    Policy(Node::Tenant(parameter.into()))
}

/// Callers that authenticated in exactly this class (`acr`). Others are told to, as RFC 9470 says.
pub fn acr(class: impl Into<Box<str>>) -> Policy {
    Policy(Node::Acr(class.into()))
}

/// Callers that authenticated with more than one factor: their `amr` has `mfa` (RFC 8176).
pub const fn mfa() -> Policy {
    Policy(Node::Mfa)
}

/// Callers that authenticated no longer ago than this (`auth_time`), in whole seconds. Others are told to do it
/// again, as RFC 9470 says.
pub const fn max_auth_age(age: Duration) -> Policy {
    Policy(Node::MaxAuthAge(age.as_secs()))
}

/// Callers of whom the [`Decider`] of this name says yes. It is asked when nothing else has decided, and about known
/// callers only.
pub fn external(name: impl Into<Box<str>>) -> Policy {
    Policy(Node::External(name.into()))
}

/// Known callers that do not pass the policy.
///
/// Nobody passes without a token, and nobody of whom it is not known: of `not(owner(id))` that is also who is `7` and asks
/// for `07`, which a handler may read as the same. Prefer to say who may: a role that is made
/// tomorrow is not in today's exclusion.
///
/// ```
/// use msf_auth::policy::{PathParams, not, public};
///
/// assert!(!not(public()).decide(None, &PathParams::none()).is_allowed());
/// ```
pub fn not(policy: Policy) -> Policy {
    Policy(Node::Not(Box::new(policy.0)))
}

impl Policy {
    /// Whether callers without a token pass.
    ///
    /// ```
    /// use msf_auth::policy::{any, authenticated, public};
    ///
    /// assert!(any([authenticated(), public()]).is_public());
    /// assert!(!authenticated().is_public());
    /// ```
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.is_public()
    }

    /// The path parameters that [`owner`], [`owner_of`] and [`tenant`] name, in order, with repetitions.
    ///
    /// ```
    /// use msf_auth::policy::{any, owner, scope};
    ///
    /// let policy = any([scope("users:admin"), owner("id")]);
    /// assert_eq!(policy.parameters(), ["id"]);
    /// ```
    #[must_use]
    pub fn parameters(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.0.visit(&mut |node| {
            if let Node::Owner(name, _) | Node::Tenant(name) = node {
                found.push(&**name);
            }
        });
        found
    }

    /// Whether [`decide`](Self::decide) looks at path parameters.
    #[must_use]
    pub fn needs_parameters(&self) -> bool {
        self.0
            .has(|node| matches!(node, Node::Owner(..) | Node::Tenant(_)))
    }

    /// Whether it takes a subject for a user without asking who named it.
    pub(crate) fn has_owner_without_issuer(&self) -> bool {
        self.0.has(|node| matches!(node, Node::Owner(_, None)))
    }

    /// The names of the [`external`] decisions, in order, with repetitions.
    #[must_use]
    pub fn externals(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.0.visit(&mut |node| {
            if let Node::External(name) = node {
                found.push(&**name);
            }
        });
        found
    }
}
