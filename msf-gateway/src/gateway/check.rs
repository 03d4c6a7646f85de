//! From what was written to what is served, and everything that is wrong with it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

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
    plugin::Installed,
    route::{Compiled, InvalidMatch, Match, Methods, Pattern, Route, Table},
    split::Split,
    tunnel::{self, Upgrades},
};

/// A route that was checked.
#[derive(Debug)]
pub(crate) struct CheckedRoute {
    /// The label in logs and metrics.
    pub(crate) template: MatchedRoute,
    pub(crate) action: Action,
    pub(crate) policy: Policy,
    pub(crate) is_public: bool,
    /// Whether the policy asks for captures.
    pub(crate) needs_params: bool,
    pub(crate) limit: Option<RouteLimit>,
    pub(crate) body_limit: usize,
    /// Bytes at the beginning of the path that are not forwarded.
    pub(crate) strip: usize,
    /// The protocols to which the service may switch.
    pub(crate) upgrades: Option<Upgrades>,
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
    pub(super) rule: Compiled,
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

/// What is wrong with routes, where nothing is known of clusters, tokens and plugins.
#[cfg(feature = "config")]
pub(crate) fn check_routes(list: Vec<Route>, has_verifier: bool) -> Vec<GatewayError> {
    let mut errors = Vec::new();
    let common = Common {
        has_verifier,
        tokens: None,
        plugins: &[],
    };
    routes(list, &common, &mut errors);
    errors
}

/// Checks all routes; what is wrong goes to `errors`.
pub(super) fn routes(
    routes: Vec<Route>,
    common: &Common<'_>,
    errors: &mut Vec<GatewayError>,
) -> Vec<Draft> {
    let mut ids = HashSet::new();
    let mut seen: HashMap<Match, Vec<(Methods, String)>> = HashMap::new();
    let mut checked: Vec<Draft> = Vec::with_capacity(routes.len());
    // Places among the checked ones of which is said already that another one takes their requests.
    let mut known = HashSet::new();
    for route in routes {
        if let Some(id) = route.matches.own_id()
            && !ids.insert(Box::<str>::from(id))
        {
            errors.push(GatewayError::DuplicateId { id: id.to_owned() });
        }
        let earlier = seen.entry(route.matches.without_methods()).or_default();
        let own = &route.matches.methods;
        let clash = earlier
            .iter()
            .find_map(|(methods, by)| Some((methods.clash(own)?, by)));
        let is_duplicate = clash.is_some();
        errors.extend(clash.map(|(method, by)| GatewayError::Duplicate {
            route: route.to_string(),
            by: by.clone(),
            method: method.to_owned(),
        }));
        earlier.push((own.clone(), route.to_string()));
        if let Some(route) = check(route, common, errors) {
            if is_duplicate {
                known.insert(checked.len());
            }
            checked.push(route);
        }
    }
    check_reachable(&checked, &known, errors);
    checked
}

fn check(route: Route, common: &Common<'_>, errors: &mut Vec<GatewayError>) -> Option<Draft> {
    let template = route.to_string();
    let before = errors.len();
    let name = || template.clone();
    let pattern = route.matches.pattern.clone();
    let methods = route.matches.methods.clone();
    let mut invalid = Vec::new();
    let compiled = route.matches.clone().compile(&mut invalid);
    errors.extend(invalid.into_iter().map(|error| match error {
        InvalidMatch::Path(source) => GatewayError::InvalidPath {
            route: name(),
            source,
        },
        source => GatewayError::InvalidMatch {
            route: name(),
            source,
        },
    }));
    let captures: Vec<&str> = compiled.iter().flat_map(Compiled::capture_names).collect();
    if matches!(&pattern, Pattern::Exact(path) if own::is_reserved(path)) {
        errors.push(GatewayError::Reserved { route: name() });
    }
    if matches!(&methods, Methods::Only(list) if list.is_empty()) {
        errors.push(GatewayError::NoMethods { route: name() });
    }
    if route.strip_prefix && !matches!(pattern, Pattern::Prefix(_)) {
        errors.push(GatewayError::StripExact { route: name() });
    }
    let timeouts = [route.timeout, route.settings.attempt_timeout];
    if timeouts.into_iter().flatten().any(|it| it.is_zero()) {
        errors.push(GatewayError::ZeroTimeout { route: name() });
    }
    match &route.policy {
        None => errors.push(GatewayError::NoPolicy { route: name() }),
        Some(policy) => {
            check_policy(policy, common.has_verifier, &captures, &template, errors);
        }
    }
    let goal = goal(&route, &template, &captures, errors);
    let mirrored = route.settings.mirror.as_ref();
    let mirrored = mirrored.and_then(|mirror| service(&mirror.cluster, &template, errors));
    let extras = Extras::new(&route, &template, &captures, common, errors);
    let upgrades = check_upgrades(&route, &template, errors);
    if errors.len() > before {
        return None;
    }
    let prefix = compiled.as_ref().and_then(Compiled::prefix_len);
    let strip = prefix.filter(|_| route.strip_prefix).unwrap_or(0);
    let policy = route.policy?;
    let (action, clusters) = goal?;
    let checked = CheckedRoute {
        template: MatchedRoute::new(template),
        action,
        is_public: policy.is_public(),
        needs_params: !policy.parameters().is_empty(),
        policy,
        limit: route.limit,
        body_limit: route.body_limit,
        strip,
        extras,
        upgrades,
    };
    Some(Draft {
        rule: compiled?,
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

fn check_upgrades(
    route: &Route,
    template: &str,
    errors: &mut Vec<GatewayError>,
) -> Option<Upgrades> {
    let mut protocols = Vec::with_capacity(route.upgrades.len());
    for name in &route.upgrades {
        match tunnel::protocol(name) {
            Some(protocol) => protocols.push(protocol),
            None => errors.push(GatewayError::Upgrade {
                route: template.to_owned(),
                protocol: name.clone(),
            }),
        }
    }
    if route.upgrade_idle_timeout.is_zero() {
        errors.push(GatewayError::ZeroTimeout {
            route: template.to_owned(),
        });
    }
    (!protocols.is_empty()).then(|| Upgrades {
        protocols: protocols.into(),
        idle_timeout: route.upgrade_idle_timeout,
    })
}

/// Where a route leads; the places of the clusters are not known yet.
fn goal(
    route: &Route,
    template: &str,
    captures: &[&str],
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
        let checked = redirect.check(extras::prefix(&route.matches.pattern), captures);
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

/// Whether some request reaches each route.
fn check_reachable(checked: &[Draft], known: &HashSet<usize>, errors: &mut Vec<GatewayError>) {
    let rules = checked
        .iter()
        .map(|draft| (draft.rule.clone(), ()))
        .collect();
    let text = |at: usize| checked[at].rule.rule().to_string();
    for it in Table::compiled(rules).shadowed() {
        if !known.contains(&it.route) {
            errors.push(GatewayError::Unreachable {
                route: text(it.route),
                by: text(it.by),
            });
        }
    }
}

fn check_policy(
    policy: &Policy,
    has_verifier: bool,
    captures: &[&str],
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
    let parameters = policy.parameters();
    if let Some(parameter) = parameters.iter().find(|it| !captures.contains(*it)) {
        errors.push(GatewayError::PathParameter {
            route: template.to_owned(),
            parameter: (*parameter).to_owned(),
        });
    }
}
