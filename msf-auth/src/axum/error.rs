//! Routes that would never let anybody pass.

use std::fmt;

use thiserror::Error;

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
