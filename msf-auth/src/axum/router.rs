//! A router in which every route has a policy.

use std::{convert::Infallible, fmt};

use axum::{Router, routing::MethodRouter};
use msf_core::metrics::Metrics;

use super::{
    InvalidRoute, InvalidRoutes, PolicyRow, PolicyTable,
    params::{has_parameter, params},
};
#[cfg(feature = "oauth-client")]
use crate::introspect::Introspector;
use crate::{
    api_key::ApiKeys,
    audit::Audit,
    layer::{AnsweringAuthLayer, AuthLayer, AuthLayerBuilder, InvalidAuthLayer, Surroundings},
    policy::{self, Decider, Policies, Policy, Verb},
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
///
/// ```compile_fail
/// # use msf_auth::{SecureRouter, Verifier};
/// # fn router(verifier: Verifier) {
/// // Who may? This does not compile.
/// SecureRouter::<()>::new(verifier).route("/orders", axum::routing::get(|| async { "orders" }));
/// # }
/// ```
///
/// # What cannot be checked
///
/// - A plain `axum::Router` does not tell its routes. [`nest_router`](Self::nest_router) therefore has one policy for
///   all that is in it, and for whatever is added to it later.
/// - [`into_router`](Self::into_router) gives a plain `Router`: routes that are added to that one have no policy.
/// - A method router does not tell its methods. A path that is [`listed`](Self::listed) refuses those that the list does
///   not name, when they come.
#[must_use = "routes serve nothing before `into_router`"]
pub struct SecureRouter<S = ()> {
    verifier: Verifier,
    routes: Vec<Route<S>>,
    policies: Option<Policies>,
    surroundings: Surroundings,
    mistakes: Vec<InvalidRoute>,
}

struct Route<S> {
    path: Box<str>,
    policy: Source,
    target: Target<S>,
}

enum Source {
    Given(Policy),
    Listed,
}

enum Target<S> {
    Methods(MethodRouter<S>),
    Router(Router<S>),
    Fallback(MethodRouter<S>),
}

impl<S: Clone + Send + Sync + 'static> SecureRouter<S> {
    /// A router without routes.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            routes: Vec::new(),
            policies: None,
            surroundings: Surroundings::default(),
            mistakes: Vec::new(),
        }
    }

    /// Methods of a path, for callers that pass the policy.
    ///
    /// The same path may be given again with other methods and another policy.
    pub fn route(
        self,
        path: impl Into<Box<str>>,
        policy: Policy,
        methods: MethodRouter<S>,
    ) -> Self {
        self.add(path, Source::Given(policy), Target::Methods(methods))
    }

    /// Methods of a path, for everybody.
    pub fn public(self, path: impl Into<Box<str>>, methods: MethodRouter<S>) -> Self {
        self.route(path, policy::public(), methods)
    }

    /// Methods of a path, for callers that pass what the [list](Self::policies_from) says, method by method. Methods
    /// that are not in the list let nobody pass.
    pub fn listed(self, path: impl Into<Box<str>>, methods: MethodRouter<S>) -> Self {
        self.add(path, Source::Listed, Target::Methods(methods))
    }

    /// The policies of the routes that are [`listed`](Self::listed), in place of those of an earlier call.
    ///
    /// A path without policies, and policies of a path that is not served, are errors of
    /// [`into_router`](Self::into_router).
    ///
    /// ```
    /// use axum::routing::get;
    /// use msf_auth::{SecureRouter, policy::Policies};
    ///
    /// # use msf_auth::{KeySet, TrustedIssuer, Verifier};
    /// # let trusted = TrustedIssuer::new("https://user.shop", KeySet::default()).audience("shop");
    /// # let verifier = Verifier::builder().issuer(trusted).build()?;
    /// let policies = Policies::from_toml(r#"
    ///     [routes."/orders"]
    ///     GET = "scope(orders:read)"
    ///     POST = "scope(orders:write)"
    /// "#)?;
    /// let router: axum::Router = SecureRouter::new(verifier)
    ///     .policies_from(policies)
    ///     .listed("/orders", get(|| async { "orders" }).post(|| async { "ordered" }))
    ///     .into_router()?;
    /// # Ok::<(), msf_core::BoxError>(())
    /// ```
    pub fn policies_from(mut self, policies: Policies) -> Self {
        self.policies = Some(policies);
        self
    }

    /// Adds the routes of another router, each with its own policy. This router's verifier, deciders, audit and metrics
    /// serve them, and its list those that are listed.
    pub fn merge(mut self, other: Self) -> Self {
        self.routes.extend(other.routes);
        self.mistakes.extend(other.mistakes);
        self
    }

    /// As [`merge`](Self::merge), with a prefix before each path. Handlers see the whole path, and policies all of its
    /// parameters. A router with a fallback cannot be nested.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.check_prefix(prefix);
        for mut route in other.routes {
            if matches!(route.target, Target::Fallback(_)) {
                self.mistakes.push(InvalidRoute::Fallback);
                continue;
            }
            route.path = match &*route.path {
                "/" => prefix.into(),
                path => format!("{prefix}{path}").into(),
            };
            self.routes.push(route);
        }
        self.mistakes.extend(other.mistakes);
        self
    }

    /// Everything below a prefix, for callers that pass the policy: a plain router, whose routes are not known here.
    ///
    /// The policy is asked for whatever the router answers, its 404 included. Parameters are those of the prefix; where
    /// a route inside has one of the same name, nobody passes.
    pub fn nest_router(mut self, prefix: &str, policy: Policy, router: Router<S>) -> Self {
        self.check_prefix(prefix);
        self.add(prefix, Source::Given(policy), Target::Router(router))
    }

    /// What no route takes, for callers that pass the policy; without it that is 404 for everybody.
    pub fn fallback(self, policy: Policy, methods: MethodRouter<S>) -> Self {
        self.add("", Source::Given(policy), Target::Fallback(methods))
    }

    /// Whom to ask for the [`external`](policy::external) decisions of this name.
    pub fn decider(mut self, name: impl Into<Box<str>>, decider: impl Into<Decider>) -> Self {
        let decider = (name.into(), decider.into());
        self.surroundings.deciders.push(decider);
        self
    }

    /// Takes API keys beside tokens; see [`AuthLayerBuilder::api_keys`].
    pub fn api_keys(mut self, keys: ApiKeys) -> Self {
        self.surroundings.api_keys = Some(keys);
        self
    }

    /// Asks about tokens that are not signed; see [`AuthLayerBuilder::introspector`].
    #[cfg(feature = "oauth-client")]
    #[cfg_attr(docsrs, doc(cfg(feature = "oauth-client")))]
    pub fn introspector(mut self, introspector: Introspector) -> Self {
        self.surroundings.introspector = Some(introspector);
        self
    }

    /// Where refusals of known callers are told; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.surroundings.audit = audit;
        self
    }

    /// Counts decisions in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.surroundings.metrics = Some(metrics.clone());
        self
    }

    fn add(mut self, path: impl Into<Box<str>>, policy: Source, target: Target<S>) -> Self {
        self.routes.push(Route {
            path: path.into(),
            policy,
            target,
        });
        self
    }

    fn check_prefix(&mut self, prefix: &str) {
        if !prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("{*") {
            let prefix = prefix.into();
            self.mistakes.push(InvalidRoute::NoPrefix { prefix });
        }
    }

    /// Every path with its policy, in order; a path with several in the list is there several times.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.routes.iter().flat_map(|route| {
            let each = self.of_route(route).into_iter();
            each.map(|(_, policy)| (&*route.path, policy))
        })
    }

    /// What is open to whom, to print or to compare.
    ///
    /// ```
    /// use axum::routing::get;
    /// use msf_auth::{SecureRouter, policy::{any, owner, scope}};
    ///
    /// # use msf_auth::{KeySet, TrustedIssuer, Verifier};
    /// # let trusted = TrustedIssuer::new("https://user.shop", KeySet::default()).audience("shop");
    /// # let verifier = Verifier::builder().issuer(trusted).build()?;
    /// let router = SecureRouter::<()>::new(verifier)
    ///     .public("/hello", get(|| async { "hello" }))
    ///     .route("/users/{id}", any([scope("users:admin"), owner("id")]), get(|| async { "user" }));
    /// assert_eq!(
    ///     router.table().to_string(),
    ///     "/hello       *  public\n\
    ///      /users/{id}  *  any(scope(users:admin), owner(id))\n"
    /// );
    /// # Ok::<(), msf_core::BoxError>(())
    /// ```
    pub fn table(&self) -> PolicyTable {
        let rows = self.routes.iter().flat_map(|route| {
            let path: Box<str> = match route.target {
                Target::Methods(_) => route.path.clone(),
                Target::Router(_) => format!("{}/**", route.path).into(),
                Target::Fallback(_) => "(fallback)".into(),
            };
            self.of_route(route)
                .into_iter()
                .map(move |(method, policy)| PolicyRow {
                    path: path.clone(),
                    method: method.into(),
                    policy: policy.to_string().into(),
                })
        });
        PolicyTable(rows.collect())
    }

    fn of_route<'a>(&'a self, route: &'a Route<S>) -> Vec<(&'a str, &'a Policy)> {
        match &route.policy {
            Source::Given(policy) => vec![("*", policy)],
            Source::Listed => {
                let methods = self.list_of(&route.path).unwrap_or_default();
                methods
                    .iter()
                    .map(|(verb, policy)| (verb.as_str(), policy))
                    .collect()
            }
        }
    }

    fn list_of(&self, path: &str) -> Option<&[(Verb, Policy)]> {
        self.policies.as_ref()?.methods(path)
    }

    /// The router that serves the routes.
    ///
    /// # Errors
    ///
    /// [`InvalidRoutes`] when a policy names a parameter that its path does not have, or has twice, or a decider that
    /// there is not; when the list and the routes do not agree; when a prefix is none.
    ///
    /// # Panics
    ///
    /// As [`Router::route`] does for paths that are malformed or overlap.
    pub fn into_router(self) -> Result<Router<S>, InvalidRoutes> {
        let mut mistakes = self.mistakes.clone();
        mistakes.extend(self.wrong_parameters());
        mistakes.extend(self.unserved());
        let fallbacks = self.routes.iter();
        let fallbacks = fallbacks.filter(|route| matches!(route.target, Target::Fallback(_)));
        mistakes.extend((fallbacks.count() > 1).then_some(InvalidRoute::Fallback));
        let mut layers = Vec::with_capacity(self.routes.len());
        for route in &self.routes {
            match self.layer(route) {
                Ok(layer) => layers.push(layer),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(InvalidRoutes { routes: mistakes });
        }
        let routes = self.routes.into_iter().zip(layers);
        Ok(routes.fold(Router::new(), |router, (route, auth)| {
            // Not `route_layer`, which leaves out what `any()` and fallbacks serve.
            match route.target {
                Target::Methods(methods) => {
                    router.route(&route.path, methods.layer::<_, Infallible>(auth))
                }
                Target::Router(inner) => router.nest(&route.path, inner.layer(auth)),
                Target::Fallback(methods) => router.fallback(methods.layer::<_, Infallible>(auth)),
            }
        }))
    }

    fn layer(&self, route: &Route<S>) -> Result<AnsweringAuthLayer, InvalidRoute> {
        let verifier = self.verifier.clone();
        let builder = match &route.policy {
            Source::Given(policy) => AuthLayer::builder(verifier, policy.clone()),
            Source::Listed => match self.list_of(&route.path) {
                Some(methods) => AuthLayerBuilder::by_method(verifier, methods.to_vec()),
                None => {
                    let path = route.path.clone();
                    return Err(InvalidRoute::NotListed { path });
                }
            },
        };
        let builder = builder
            .surroundings(self.surroundings.clone())
            .params(params);
        let invalid = |error: InvalidAuthLayer| InvalidRoute::of_layer(&route.path, error);
        Ok(builder.build().map_err(invalid)?.answering())
    }

    fn wrong_parameters(&self) -> Vec<InvalidRoute> {
        let named = self.policies().flat_map(|(path, policy)| {
            let names = policy.parameters().into_iter();
            names.map(move |parameter| (path, parameter))
        });
        let wrong = named.filter(|(path, parameter)| !has_parameter(path, parameter));
        wrong
            .map(|(path, parameter)| InvalidRoute::NoSuchParameter {
                path: path.into(),
                parameter: parameter.into(),
            })
            .collect()
    }

    fn unserved(&self) -> Vec<InvalidRoute> {
        let is_served = |path: &str| {
            let mut routes = self.routes.iter();
            routes.any(|route| matches!(route.policy, Source::Listed) && *route.path == *path)
        };
        let listed = self.policies.iter().flat_map(Policies::paths);
        let unserved = listed.filter(|path| !is_served(path));
        unserved
            .map(|path| InvalidRoute::NotServed { path: path.into() })
            .collect()
    }
}

impl<S> fmt::Debug for SecureRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter().map(|route| {
            let policy = match &route.policy {
                Source::Given(policy) => policy.to_string(),
                Source::Listed => "listed".to_owned(),
            };
            (&route.path, policy)
        });
        f.debug_map().entries(routes).finish()
    }
}
