//! From what was written to what is served, and everything that is wrong with it.

use std::{collections::HashMap, time::Duration};

use msf_auth::{InternalTokens, policy::Policy};
use msf_core::{name::ServiceName, route::MatchedRoute};
use msf_resilience::{hedge::HedgeBuilder, retry::RetryPolicyBuilder};

use super::{
    error::GatewayError,
    extras::{self, Extras},
    settings::Change,
};
use crate::{
    action::{CheckedRedirect, DirectResponse},
    limit::RouteLimit,
    own,
    path::{CanonicalPath, InvalidPath},
    plugin::Installed,
    route::{Methods, Pattern, Route},
    split::Split,
};

/// A route that was checked.
#[derive(Debug)]
pub(crate) struct CheckedRoute {
    /// The label in logs and metrics.
    pub(crate) template: MatchedRoute,
    pub(crate) action: Action,
    pub(crate) policy: Policy,
    pub(crate) is_public: bool,
    pub(crate) limit: Option<RouteLimit>,
    pub(crate) body_limit: usize,
    /// Bytes at the beginning of the path that are not forwarded.
    pub(crate) strip: usize,
    /// `None` for a route that does nothing besides.
    pub(crate) extras: Option<Box<Extras>>,
}

impl CheckedRoute {
    /// Whether it answers preflights itself.
    pub(crate) fn answers_preflights(&self) -> bool {
        self.extras
            .as_ref()
            .is_some_and(|extras| extras.cors.is_some())
    }
}

/// What becomes of a request that may pass.
#[derive(Debug)]
pub(crate) enum Action {
    /// Its call is that of the worker at this place.
    Forward(usize),
    /// Its call is one of these, by weight.
    Split(Split, Box<[usize]>),
    Redirect(CheckedRedirect),
    Respond(DirectResponse),
}

/// A route whose clusters are not looked up yet.
pub(super) struct Draft {
    pub(super) pattern: Pattern,
    pub(super) methods: Methods,
    pub(super) route: CheckedRoute,
    /// The clusters, in the order of the weights.
    pub(super) clusters: Vec<ServiceName>,
    pub(super) mirrored: Option<ServiceName>,
    pub(super) calls: Calls,
}

/// How the clusters of a route are called.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    pub(super) timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) retry: Option<Change<RetryPolicyBuilder>>,
    pub(super) hedge: Option<Change<HedgeBuilder>>,
}

/// What the routes of a gateway have in common.
pub(super) struct Common<'a> {
    pub(super) has_verifier: bool,
    pub(super) tokens: Option<&'a InternalTokens>,
    pub(super) plugins: &'a [Installed],
}

/// Checks all routes; what is wrong goes to `errors`.
pub(super) fn routes(
    routes: Vec<Route>,
    common: &Common<'_>,
    errors: &mut Vec<GatewayError>,
) -> Vec<Draft> {
    let mut seen: HashMap<Pattern, Vec<Methods>> = HashMap::new();
    let mut checked = Vec::with_capacity(routes.len());
    for route in routes {
        let earlier = seen.entry(canonical_pattern(&route.pattern)).or_default();
        if let Some(method) = earlier
            .iter()
            .find_map(|methods| methods.overlap(&route.methods))
        {
            errors.push(GatewayError::Duplicate {
                route: route.to_string(),
                method: method.to_owned(),
            });
        }
        earlier.push(route.methods.clone());
        checked.extend(check(route, common, errors));
    }
    checked
}

fn check(route: Route, common: &Common<'_>, errors: &mut Vec<GatewayError>) -> Option<Draft> {
    let template = route.to_string();
    let before = errors.len();
    let name = || template.clone();
    if let Err(source) = check_path(&route.pattern) {
        errors.push(GatewayError::InvalidPath {
            route: name(),
            source,
        });
    }
    if matches!(&route.pattern, Pattern::Exact(path) if own::is_reserved(path)) {
        errors.push(GatewayError::Reserved { route: name() });
    }
    if matches!(&route.methods, Methods::Only(list) if list.is_empty()) {
        errors.push(GatewayError::NoMethods { route: name() });
    }
    if route.strip_prefix && matches!(route.pattern, Pattern::Exact(_)) {
        errors.push(GatewayError::StripExact { route: name() });
    }
    let timeouts = [route.timeout, route.settings.attempt_timeout];
    if timeouts.into_iter().flatten().any(|it| it.is_zero()) {
        errors.push(GatewayError::ZeroTimeout { route: name() });
    }
    match &route.policy {
        None => errors.push(GatewayError::NoPolicy { route: name() }),
        Some(policy) => check_policy(policy, common.has_verifier, &template, errors),
    }
    let goal = goal(&route, &template, errors);
    let mirrored = route.settings.mirror.as_ref();
    let mirrored = mirrored.and_then(|mirror| service(&mirror.cluster, &template, errors));
    let extras = Extras::new(&route, &template, common.tokens, common.plugins, errors);
    if errors.len() > before {
        return None;
    }
    let strip = if route.strip_prefix {
        route.pattern.path().trim_end_matches('/').len()
    } else {
        0
    };
    let policy = route.policy?;
    let (action, clusters) = goal?;
    let checked = CheckedRoute {
        template: MatchedRoute::new(template),
        action,
        is_public: policy.is_public(),
        policy,
        limit: route.limit,
        body_limit: route.body_limit,
        strip,
        extras,
    };
    Some(Draft {
        pattern: route.pattern,
        methods: route.methods,
        route: checked,
        clusters,
        mirrored,
        calls: Calls {
            timeout: route.timeout,
            attempt_timeout: route.settings.attempt_timeout,
            retry: route.settings.retry,
            hedge: route.settings.hedge,
        },
    })
}

/// Where a route leads; the places of the clusters are not known yet.
fn goal(
    route: &Route,
    template: &str,
    errors: &mut Vec<GatewayError>,
) -> Option<(Action, Vec<ServiceName>)> {
    let settings = &route.settings;
    let name = || template.to_owned();
    let is_split = !settings.split.is_empty();
    let goals = [
        route.service.is_some(),
        is_split,
        settings.redirect.is_some(),
        settings.respond.is_some(),
    ];
    if goals.into_iter().filter(|is_set| *is_set).count() > 1 {
        errors.push(GatewayError::TwoTargets { route: name() });
        return None;
    }
    if let Some(redirect) = &settings.redirect {
        let captures = route.pattern.captures();
        let checked = redirect.check(extras::prefix(&route.pattern), &captures);
        let checked = checked.map_err(|source| {
            let route = name();
            errors.push(GatewayError::InvalidRedirect { route, source });
        });
        return Some((Action::Redirect(checked.ok()?), Vec::new()));
    }
    if let Some(response) = &settings.respond {
        if !response.is_valid() {
            errors.push(GatewayError::InvalidResponse { route: name() });
        }
        return Some((Action::Respond(response.clone()), Vec::new()));
    }
    if is_split {
        let names = settings.split.iter();
        let clusters: Vec<_> = names
            .filter_map(|(cluster, _)| service(cluster, template, errors))
            .collect();
        let split = Split::new(settings.split.iter().map(|(_, weight)| *weight));
        let is_twice = clusters
            .iter()
            .enumerate()
            .any(|(at, cluster)| clusters[..at].contains(cluster));
        return match split {
            Some(split) if !is_twice => Some((Action::Split(split, Box::default()), clusters)),
            _ => {
                errors.push(GatewayError::InvalidSplit { route: name() });
                None
            }
        };
    }
    let Some(cluster) = &route.service else {
        errors.push(GatewayError::NoService { route: name() });
        return None;
    };
    let cluster = service(cluster, template, errors)?;
    Some((Action::Forward(usize::MAX), vec![cluster]))
}

fn service(name: &str, template: &str, errors: &mut Vec<GatewayError>) -> Option<ServiceName> {
    let name = ServiceName::new(name).map_err(|source| {
        let route = template.to_owned();
        errors.push(GatewayError::InvalidService { route, source });
    });
    name.ok()
}

fn check_path(pattern: &Pattern) -> Result<(), InvalidPath> {
    let path = CanonicalPath::parse(pattern.path())?;
    if path.is_unchanged() && !path.as_str().contains('%') {
        Ok(())
    } else {
        // What is written in a route is what people read; an escape hides it from them.
        Err(InvalidPath::Encoding)
    }
}

fn check_policy(
    policy: &Policy,
    has_verifier: bool,
    template: &str,
    errors: &mut Vec<GatewayError>,
) {
    if !has_verifier && !policy.is_public() {
        errors.push(GatewayError::NoVerifier {
            route: template.to_owned(),
            policy: policy.to_string(),
        });
    }
    if let Some(name) = policy.externals().first() {
        errors.push(GatewayError::External {
            route: template.to_owned(),
            name: (*name).to_owned(),
        });
    }
    if let Some(parameter) = policy.parameters().first() {
        errors.push(GatewayError::PathParameter {
            route: template.to_owned(),
            parameter: (*parameter).to_owned(),
        });
    }
}

/// `/api` and `/api/` are one prefix.
fn canonical_pattern(pattern: &Pattern) -> Pattern {
    match pattern {
        Pattern::Exact(path) => Pattern::Exact(path.clone()),
        Pattern::Prefix(path) => Pattern::Prefix(path.trim_end_matches('/').into()),
    }
}
