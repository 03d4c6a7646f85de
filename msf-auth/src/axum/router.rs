//! A router in which every route has a policy.

use std::{convert::Infallible, fmt};

use axum::{Router, routing::MethodRouter};

use super::{
    InvalidRoute, InvalidRoutes,
    params::{has_parameter, params},
};
use crate::{
    layer::AuthLayer,
    policy::{self, Policy},
    verify::Verifier,
};

/// An axum router in which no route can be written without a policy.
///
/// See the [module documentation](super) for an example.
///
/// | request | answer |
/// |---|---|
/// | a path that is not there | 404, without looking at credentials |
/// | a method that the path does not have, `OPTIONS` included | the policy first, then 405 |
/// | `HEAD` where there is a `GET` | as `GET`: same policy, no body |
///
/// The policy guards everything behind a path, also what `any()` or a fallback of the method router would
/// serve. A CORS layer, which answers `OPTIONS` itself, belongs around the router.
#[must_use = "routes serve nothing before `into_router`"]
pub struct SecureRouter<S = ()> {
    verifier: Verifier,
    routes: Vec<(Box<str>, Policy, MethodRouter<S>)>,
}

impl<S: Clone + Send + Sync + 'static> SecureRouter<S> {
    /// A router without routes.
    pub const fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            routes: Vec::new(),
        }
    }

    /// Methods of a path, for callers that pass the policy.
    ///
    /// The same path may be given again with other methods and another policy.
    pub fn route(
        mut self,
        path: impl Into<Box<str>>,
        policy: Policy,
        methods: MethodRouter<S>,
    ) -> Self {
        self.routes.push((path.into(), policy, methods));
        self
    }

    /// Methods of a path, for everybody.
    pub fn public(self, path: impl Into<Box<str>>, methods: MethodRouter<S>) -> Self {
        self.route(path, policy::public(), methods)
    }

    /// Adds the routes of another router, each with its own policy; this router's verifier guards them.
    pub fn merge(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self
    }

    /// Every path with its policy, in order; for a list of what is open to whom.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.routes
            .iter()
            .map(|(path, policy, _)| (&**path, policy))
    }

    /// The router that serves the routes.
    ///
    /// # Errors
    ///
    /// [`InvalidRoutes`] when a policy names a parameter that its path does not have, or has twice.
    ///
    /// # Panics
    ///
    /// As [`Router::route`] does for paths that are malformed or overlap.
    pub fn into_router(self) -> Result<Router<S>, InvalidRoutes> {
        let mistakes: Vec<InvalidRoute> = self
            .policies()
            .flat_map(|(path, policy)| {
                let names = policy.parameters().into_iter();
                names.filter(|name| !has_parameter(path, name)).map(|name| {
                    InvalidRoute::NoSuchParameter {
                        path: path.into(),
                        parameter: name.into(),
                    }
                })
            })
            .collect();
        if !mistakes.is_empty() {
            return Err(InvalidRoutes { routes: mistakes });
        }
        let verifier = self.verifier;
        Ok(self
            .routes
            .into_iter()
            .fold(Router::new(), |router, (path, policy, methods)| {
                let auth = AuthLayer::with_params(verifier.clone(), policy, params).answering();
                // Not `route_layer`, which leaves out what `any()` and fallbacks serve.
                router.route(&path, methods.layer::<_, Infallible>(auth))
            }))
    }
}

impl<S> fmt::Debug for SecureRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self
            .routes
            .iter()
            .map(|(path, policy, _)| (path, policy.to_string()));
        f.debug_map().entries(routes).finish()
    }
}
