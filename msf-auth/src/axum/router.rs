//! A router in which every route has a policy.

use std::{convert::Infallible, fmt, sync::Arc};

use axum::{Router, routing::MethodRouter};
use msf_core::metrics::Metrics;

use super::{
    InvalidRoute, InvalidRoutes, PolicyRow, PolicyTable,
    params::{has_parameter, params},
};
use crate::{
    api_key::ApiKeys,
    audit::Audit,
    layer::{
        AnsweringAuthLayer, AuthLayer, AuthLayerBuilder, Authenticator, InvalidAuthLayer,
        Surroundings,
    },
    policy::{self, Decider, Policies, Policy, Verb},
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
/// - What such a router does not know, and has no fallback for, is answered outside of that policy: with 404, or by the
///   [`fallback`](Self::fallback).
/// - [`into_router`](Self::into_router) gives a plain `Router`: routes that are added to that one have no policy.
/// - A method router does not tell its methods. A path that is [`listed`](Self::listed) refuses those that the list does
///   not name, when they come.
#[must_use = "routes serve nothing before `into_router`"]
pub struct SecureRouter<S = ()> {
    routes: Vec<Route<S>>,
    policies: Option<Policies>,
    origin: Origin,
    mistakes: Vec<InvalidRoute>,
}

struct Route<S> {
    path: Box<str>,
    policy: Source,
    target: Target<S>,
    /// That of the router in which it was written; `None` while that is this one.
    origin: Option<Arc<Origin>>,
}

/// Who says who calls, and what else decides: what stays with a route that becomes part of another router.
#[derive(Clone)]
struct Origin {
    authenticator: Authenticator,
    surroundings: Surroundings,
}

enum Source {
    Given(Policy),
    /// By the list of this router.
    Listed,
    ByMethod(Vec<(Verb, Policy)>),
}

enum Target<S> {
    Methods(MethodRouter<S>),
    Router(Router<S>),
    Fallback(MethodRouter<S>),
}

impl<S: Clone + Send + Sync + 'static> SecureRouter<S> {
    /// A router without routes.
    ///
    /// Mostly a [`Verifier`](crate::Verifier) says who calls; for opaque tokens an
    /// [`Introspector`](crate::introspect::Introspector) does.
    pub fn new(authenticator: impl Into<Authenticator>) -> Self {
        Self {
            routes: Vec::new(),
            policies: None,
            origin: Origin {
                authenticator: authenticator.into(),
                surroundings: Surroundings::default(),
            },
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
    /// [`into_router`](Self::into_router). A router that has no list takes that of the router that it becomes part of.
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

    /// Adds the routes of another router, each with its own policy.
    ///
    /// What says there who calls stays with them, and so do its list, API keys, deciders, audit and metrics: who may not
    /// call a route before may not call it after. Deciders, audit and metrics that it has not are those of this router.
    pub fn merge(mut self, other: Self) -> Self {
        let other = other.settled();
        self.routes.extend(other.routes);
        self.mistakes.extend(other.mistakes);
        self
    }

    /// As [`merge`](Self::merge), with a prefix before each path. Handlers see the whole path, and policies all of its
    /// parameters. A router with a fallback cannot be nested.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.check_prefix(prefix);
        let other = other.settled();
        for mut route in other.routes {
            if matches!(route.target, Target::Fallback(_)) {
                self.mistakes.push(InvalidRoute::Fallback);
                continue;
            }
            route.path = match &*route.path {
                "/" => prefix.into(),
                path if path.starts_with('/') => format!("{prefix}{path}").into(),
                // It stays what no router takes.
                path => path.into(),
            };
            self.routes.push(route);
        }
        self.mistakes.extend(other.mistakes);
        self
    }

    /// Everything below a prefix, for callers that pass the policy: a plain router, whose routes are not known here.
    ///
    /// The policy is asked for whatever the router answers. What it has no route for, and no fallback of its own, it does
    /// not answer: that is for this router's [`fallback`](Self::fallback). Parameters are those of the prefix; where a
    /// route inside has one of the same name, nobody passes.
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
        self.origin.surroundings.deciders.push(decider);
        self
    }

    /// Takes API keys beside tokens; see [`AuthLayerBuilder::api_keys`].
    pub fn api_keys(mut self, keys: ApiKeys) -> Self {
        self.origin.surroundings.api_keys = Some(keys);
        self
    }

    /// Where refusals of known callers are told; default the log.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.origin.surroundings.audit = Some(audit);
        self
    }

    /// Counts decisions in `metrics`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.origin.surroundings.metrics = Some(metrics.clone());
        self
    }

    fn add(mut self, path: impl Into<Box<str>>, policy: Source, target: Target<S>) -> Self {
        self.routes.push(Route {
            path: path.into(),
            policy,
            target,
            origin: None,
        });
        self
    }

    /// Each route with all that stays with it, and the mistakes of the list.
    fn settled(mut self) -> Self {
        self.mistakes.extend(self.unserved());
        for route in &mut self.routes {
            if let (Source::Listed, Some(policies)) = (&route.policy, &self.policies) {
                let methods = policies.methods(&route.path);
                if methods.is_none() {
                    let path = route.path.clone();
                    self.mistakes.push(InvalidRoute::NotListed { path });
                }
                route.policy = Source::ByMethod(methods.unwrap_or_default().to_vec());
            }
            let origin = match &route.origin {
                Some(origin) => Origin {
                    authenticator: origin.authenticator.clone(),
                    surroundings: origin
                        .surroundings
                        .clone()
                        .within(&self.origin.surroundings),
                },
                None => self.origin.clone(),
            };
            route.origin = Some(Arc::new(origin));
        }
        self.policies = None;
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
                let policies = self.policies.as_ref();
                let methods = policies.and_then(|policies| policies.methods(&route.path));
                by_verb(methods.unwrap_or_default())
            }
            Source::ByMethod(methods) => by_verb(methods),
        }
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
        let router = self.settled();
        let mut mistakes = router.mistakes.clone();
        mistakes.extend(router.wrong_parameters());
        let fallbacks = router.routes.iter();
        let fallbacks = fallbacks.filter(|route| matches!(route.target, Target::Fallback(_)));
        mistakes.extend((fallbacks.count() > 1).then_some(InvalidRoute::Fallback));
        let mut layers = Vec::with_capacity(router.routes.len());
        for route in &router.routes {
            match router.layer(route) {
                Ok(layer) => layers.push(layer),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(InvalidRoutes { routes: mistakes });
        }
        let routes = router.routes.into_iter().zip(layers);
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
        let Origin {
            authenticator,
            surroundings,
        } = route.origin.as_deref().unwrap_or(&self.origin).clone();
        let builder = match &route.policy {
            Source::Given(policy) => AuthLayer::builder(authenticator, policy.clone()),
            Source::ByMethod(methods) => {
                AuthLayerBuilder::by_method(authenticator, methods.clone())
            }
            Source::Listed => {
                let path = route.path.clone();
                return Err(InvalidRoute::NotListed { path });
            }
        };
        let builder = builder.surroundings(surroundings).params(params);
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

fn by_verb(methods: &[(Verb, Policy)]) -> Vec<(&str, &Policy)> {
    let methods = methods.iter();
    methods
        .map(|(verb, policy)| (verb.as_str(), policy))
        .collect()
}

impl<S> fmt::Debug for SecureRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter().map(|route| {
            let policy = match &route.policy {
                Source::Given(policy) => policy.to_string(),
                Source::Listed | Source::ByMethod(_) => "listed".to_owned(),
            };
            (&route.path, policy)
        });
        f.debug_map().entries(routes).finish()
    }
}
