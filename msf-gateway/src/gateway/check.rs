//! From what was written to what is served, and everything that is wrong with it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use msf_auth::policy::Policy;
use msf_core::{name::ServiceName, route::MatchedRoute};

use super::error::GatewayError;
use crate::{
    limit::RouteLimit,
    own,
    route::{Compiled, InvalidMatch, Match, Methods, Pattern, Route, Table},
};

/// A route that was checked.
#[derive(Debug)]
pub(crate) struct CheckedRoute {
    /// The label in logs and metrics.
    pub(crate) template: MatchedRoute,
    pub(crate) service: ServiceName,
    /// The place of the service among those of a worker.
    pub(crate) service_at: usize,
    pub(crate) policy: Policy,
    pub(crate) is_public: bool,
    /// Whether the policy asks for captures.
    pub(crate) needs_params: bool,
    pub(crate) limit: Option<RouteLimit>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) body_limit: usize,
    /// Bytes at the beginning of the path that are not forwarded.
    pub(crate) strip: usize,
}

/// Checks all routes; what is wrong goes to `errors`.
pub(super) fn routes(
    routes: Vec<Route>,
    has_verifier: bool,
    errors: &mut Vec<GatewayError>,
) -> Vec<(Compiled, CheckedRoute)> {
    let mut ids = HashSet::new();
    let mut seen: HashMap<Match, Vec<Methods>> = HashMap::new();
    let mut checked = Vec::with_capacity(routes.len());
    for route in routes {
        if let Some(id) = route.matches.own_id() {
            if !ids.insert(Box::<str>::from(id)) {
                errors.push(GatewayError::DuplicateId { id: id.to_owned() });
            }
        }
        let earlier = seen.entry(route.matches.without_methods()).or_default();
        let own = &route.matches.methods;
        if let Some(method) = earlier.iter().find_map(|methods| methods.clash(own)) {
            errors.push(GatewayError::Duplicate {
                route: route.to_string(),
                method: method.to_owned(),
            });
        }
        earlier.push(own.clone());
        checked.extend(check(route, has_verifier, errors));
    }
    checked
}

fn check(
    route: Route,
    has_verifier: bool,
    errors: &mut Vec<GatewayError>,
) -> Option<(Compiled, CheckedRoute)> {
    let template = route.to_string();
    let before = errors.len();
    let name = || template.clone();
    let pattern = route.matches.pattern.clone();
    let methods = route.matches.methods.clone();
    let mut invalid = Vec::new();
    let compiled = route.matches.compile(&mut invalid);
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
    if matches!(&pattern, Pattern::Exact(path) if own::is_reserved(path)) {
        errors.push(GatewayError::Reserved { route: name() });
    }
    if matches!(&methods, Methods::Only(list) if list.is_empty()) {
        errors.push(GatewayError::NoMethods { route: name() });
    }
    if route.strip_prefix && !matches!(pattern, Pattern::Prefix(_)) {
        errors.push(GatewayError::StripExact { route: name() });
    }
    if route.timeout.is_some_and(|timeout| timeout.is_zero()) {
        errors.push(GatewayError::ZeroTimeout { route: name() });
    }
    let service = match route.service.as_deref().map(ServiceName::new) {
        Some(Ok(service)) => Some(service),
        Some(Err(source)) => {
            errors.push(GatewayError::InvalidService {
                route: name(),
                source,
            });
            None
        }
        None => {
            errors.push(GatewayError::NoService { route: name() });
            None
        }
    };
    match &route.policy {
        None => errors.push(GatewayError::NoPolicy { route: name() }),
        Some(policy) => {
            let names: Vec<&str> = compiled.iter().flat_map(Compiled::capture_names).collect();
            check_policy(policy, has_verifier, &names, &template, errors);
        }
    }
    if errors.len() > before {
        return None;
    }
    let strip = if route.strip_prefix {
        pattern.path().trim_end_matches('/').len()
    } else {
        0
    };
    let policy = route.policy?;
    let checked = CheckedRoute {
        template: MatchedRoute::new(template),
        service: service?,
        service_at: usize::MAX,
        is_public: policy.is_public(),
        needs_params: !policy.parameters().is_empty(),
        policy,
        limit: route.limit,
        timeout: route.timeout,
        body_limit: route.body_limit,
        strip,
    };
    Some((compiled?, checked))
}

/// Whether some request reaches each route.
pub(super) fn reachable(table: &Table<Arc<CheckedRoute>>) -> Result<(), Vec<GatewayError>> {
    let labels: Vec<String> = table.iter().map(|(rule, _)| rule.to_string()).collect();
    let unreachable = table
        .shadowed()
        .into_iter()
        .map(|it| GatewayError::Unreachable {
            route: labels[it.route].clone(),
            by: labels[it.by].clone(),
        });
    let errors: Vec<GatewayError> = unreachable.collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
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
