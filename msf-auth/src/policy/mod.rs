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
//! asked for, gets 403. A caller that asks for another's resource ([`owner`]) gets 404, since 403 would tell
//! that the resource exists. Where several apply, the one that tells less wins: 401, then 404, then 403.

mod decide;
mod display;
mod params;
#[cfg(test)]
mod tests;

pub use self::{
    decide::{Decision, Missing},
    params::PathParams,
};

/// Who may pass. Made by the functions of [this module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy(pub(crate) Node);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Public,
    Authenticated,
    Scope(Box<str>),
    Issuer(Box<str>),
    Owner(Box<str>),
    Service(Box<str>),
    Any(Box<[Self]>),
    All(Box<[Self]>),
}

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
/// A service never passes, even if it has the user's number for a name. Where several issuers are trusted
/// for users, say which one numbers them: `all([issuer("https://user.shop"), owner("id")])`.
pub fn owner(parameter: impl Into<Box<str>>) -> Policy {
    Policy(Node::Owner(parameter.into()))
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

    /// The path parameters that [`owner`] names, in order, with repetitions.
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
        self.0.parameters(&mut found);
        found
    }

    /// Whether [`decide`](Self::decide) looks at path parameters.
    #[must_use]
    pub fn needs_parameters(&self) -> bool {
        self.0.needs_parameters()
    }
}

impl Node {
    fn is_public(&self) -> bool {
        match self {
            Self::Public => true,
            Self::Any(nodes) => nodes.iter().any(Self::is_public),
            Self::All(nodes) => !nodes.is_empty() && nodes.iter().all(Self::is_public),
            Self::Authenticated
            | Self::Scope(_)
            | Self::Issuer(_)
            | Self::Owner(_)
            | Self::Service(_) => false,
        }
    }

    fn needs_parameters(&self) -> bool {
        match self {
            Self::Owner(_) => true,
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().any(Self::needs_parameters),
            Self::Public
            | Self::Authenticated
            | Self::Scope(_)
            | Self::Issuer(_)
            | Self::Service(_) => false,
        }
    }

    fn parameters<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Owner(name) => found.push(name),
            Self::Any(nodes) | Self::All(nodes) => {
                for node in nodes {
                    node.parameters(found);
                }
            }
            Self::Public
            | Self::Authenticated
            | Self::Scope(_)
            | Self::Issuer(_)
            | Self::Service(_) => {}
        }
    }
}
