//! From what was written to what is served, and everything that is wrong with it.

use std::{collections::HashMap, time::Duration};

use msf_auth::policy::Policy;
use msf_core::{name::ServiceName, route::MatchedRoute};

use super::error::GatewayError;
use crate::{
    limit::RouteLimit,
    own,
    path::{CanonicalPath, InvalidPath},
    route::{Methods, Pattern, Route},
    tunnel::{self, Upgrades},
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
    pub(crate) limit: Option<RouteLimit>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) body_limit: usize,
    /// Bytes at the beginning of the path that are not forwarded.
    pub(crate) strip: usize,
    /// The protocols to which the service may switch.
    pub(crate) upgrades: Option<Upgrades>,
}

/// Checks all routes; what is wrong goes to `errors`.
pub(super) fn routes(
    routes: Vec<Route>,
    has_verifier: bool,
    errors: &mut Vec<GatewayError>,
) -> Vec<(Pattern, Methods, CheckedRoute)> {
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
        checked.extend(check(route, has_verifier, errors));
    }
    checked
}

fn check(
    route: Route,
    has_verifier: bool,
    errors: &mut Vec<GatewayError>,
) -> Option<(Pattern, Methods, CheckedRoute)> {
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
        Some(policy) => check_policy(policy, has_verifier, &template, errors),
    }
    let upgrades = check_upgrades(&route, &template, errors);
    if errors.len() > before {
        return None;
    }
    let strip = if route.strip_prefix {
        route.pattern.path().trim_end_matches('/').len()
    } else {
        0
    };
    let policy = route.policy?;
    let checked = CheckedRoute {
        template: MatchedRoute::new(template),
        service: service?,
        service_at: usize::MAX,
        is_public: policy.is_public(),
        policy,
        limit: route.limit,
        timeout: route.timeout,
        body_limit: route.body_limit,
        strip,
        upgrades,
    };
    Some((route.pattern, route.methods, checked))
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
