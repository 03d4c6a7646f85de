//! Routes that would never let anybody pass.

use std::fmt;

use msf_core::metrics::MetricsError;
use thiserror::Error;

use crate::layer::InvalidAuthLayer;

/// Mistakes in the routes, all of them. Found when the router is built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidRoutes {
    /// Each mistake.
    pub routes: Vec<InvalidRoute>,
}

/// A mistake in one route.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRoute {
    /// The policy names a parameter that the path does not have, or has twice.
    #[error(
        "the policy of `{path}` names the parameter `{parameter}`, which the path does not have once"
    )]
    NoSuchParameter {
        /// The path.
        path: Box<str>,
        /// The parameter.
        parameter: Box<str>,
    },
    /// The policy names an external decision, and there is no decider of this name.
    #[error(
        "the policy of `{path}` names the external decision `{name}`: no decider has this name"
    )]
    NoSuchDecider {
        /// The path.
        path: Box<str>,
        /// The name.
        name: Box<str>,
    },
    /// The policy takes a subject for a user, and users of several issuers are trusted, or of whomever an edge trusts.
    #[error(
        "the policy of `{path}` has `owner(..)` and users of more than one issuer may call: use `owner_of`, or for \
         an edge `TrustedIssuer::users_of`"
    )]
    OwnerWithoutIssuer {
        /// The path.
        path: Box<str>,
    },
    /// The route takes its policies from the list, which has none for it.
    #[error("`{path}` is served, and the list of policies has none for it")]
    NotListed {
        /// The path.
        path: Box<str>,
    },
    /// The list has policies for a path that is not served from it.
    #[error("the list has policies for `{path}`, which is not served by them")]
    NotServed {
        /// The path.
        path: Box<str>,
    },
    /// Something that does not begin with `/`, ends with it, or has a wildcard was given for a prefix.
    #[error(
        "`{prefix}` is no prefix: it begins with `/`, does not end with it, and has no `{{*..}}`"
    )]
    NoPrefix {
        /// What was given.
        prefix: Box<str>,
    },
    /// There is more than one fallback, or one in a router that was nested.
    #[error("there is more than one fallback, or one behind a prefix")]
    Fallback,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl InvalidRoute {
    /// What is wrong with the layer of a path, whose parameters were looked at before.
    pub(super) fn of_layer(path: &str, error: InvalidAuthLayer) -> Self {
        match error {
            InvalidAuthLayer::NoDecider { name } => Self::NoSuchDecider {
                path: path.into(),
                name,
            },
            InvalidAuthLayer::OwnerWithoutIssuer => Self::OwnerWithoutIssuer { path: path.into() },
            InvalidAuthLayer::Metrics(error) => Self::Metrics(error),
            InvalidAuthLayer::NoPathParams => Self::NoSuchParameter {
                path: path.into(),
                parameter: "".into(),
            },
        }
    }
}

impl fmt::Display for InvalidRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the routes have mistakes")?;
        for route in &self.routes {
            write!(f, "\n  {route}")?;
        }
        Ok(())
    }
}
