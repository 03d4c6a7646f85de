//! Which key of the file an error of the builder is about.

use super::routes::named;
use crate::{
    config::{ConfigProblem, GatewayConfig},
    gateway::GatewayError,
    route::InvalidMatch,
};

/// What messages call a route by, and its place in the file.
struct Named {
    place: usize,
    names: [String; 2],
}

/// The errors, each at the key that is to blame; only routes at these places were looked at.
pub(super) fn problems(
    config: &GatewayConfig,
    errors: &[GatewayError],
    is_looked_at: impl Fn(usize) -> bool,
) -> Vec<ConfigProblem> {
    if errors.is_empty() {
        return Vec::new();
    }
    let routes = config.routes.iter().enumerate();
    let routes = routes.filter(|(place, _)| is_looked_at(*place));
    let names: Vec<Named> = routes
        .map(|(place, route)| {
            let route = named(route);
            Named {
                place,
                names: [route.to_string(), route.matches.to_string()],
            }
        })
        .collect();
    let problem = |error| {
        let (path, message) = blamed(&names, error);
        ConfigProblem {
            path,
            place: None,
            message,
            hint: other(&names, error),
        }
    };
    errors.iter().map(problem).collect()
}

/// Where the other one is, of two routes that want the same requests.
fn other(names: &[Named], error: &GatewayError) -> Option<String> {
    let (GatewayError::Duplicate { by, .. } | GatewayError::Unreachable { by, .. }) = error else {
        return None;
    };
    let other = names.iter().find(|route| route.names.contains(by))?;
    Some(format!("that one is routes[{}]", other.place))
}

fn blamed(names: &[Named], error: &GatewayError) -> (String, String) {
    if let GatewayError::Cluster { cluster, source } = error {
        return (format!("clusters.{cluster}"), source.to_string());
    }
    let text = error.with_causes();
    // Errors about a route begin with what it is called. Of two that are called alike the later is one too many.
    let mut routes = names.iter().rev();
    let route = routes.find_map(|Named { place, names }| {
        let rest = names
            .iter()
            .find_map(|name| text.strip_prefix(name.as_str())?.strip_prefix(": "))?;
        Some((format!("routes[{place}]{}", key(error)), rest.to_owned()))
    });
    route.unwrap_or((String::new(), text))
}

/// The key of a route.
fn key(error: &GatewayError) -> &'static str {
    match error {
        GatewayError::InvalidPath { .. } | GatewayError::Reserved { .. } => ".match.path",
        GatewayError::InvalidMatch { source, .. } => match source {
            InvalidMatch::Host { .. } => ".match.host",
            InvalidMatch::HeaderName { .. } => ".match.header",
            InvalidMatch::CookieName { .. } => ".match.cookie",
            InvalidMatch::Regex { .. } => ".match",
            _ => ".match.path",
        },
        GatewayError::NoMethods { .. } => ".match.methods",
        GatewayError::Duplicate { .. } | GatewayError::Unreachable { .. } => ".match",
        GatewayError::InvalidService { .. } | GatewayError::NoService { .. } => ".to",
        GatewayError::External { .. }
        | GatewayError::NoPolicy { .. }
        | GatewayError::NoVerifier { .. }
        | GatewayError::PathParameter { .. } => ".policy",
        GatewayError::StripExact { .. } => ".strip_prefix",
        GatewayError::ZeroTimeout { .. } => ".timeout",
        GatewayError::Cors { .. } => ".cors",
        GatewayError::IdentityOfNobody { .. } | GatewayError::NoInternalTokens { .. } => {
            ".internal_identity"
        }
        GatewayError::InvalidHedge { .. } => ".hedge",
        GatewayError::InvalidMirror { .. } => ".mirror",
        GatewayError::InvalidRedirect { .. } => ".redirect",
        GatewayError::InvalidResponse { .. } => ".respond",
        GatewayError::InvalidRetry { .. } => ".retry",
        GatewayError::InvalidSplit { .. } | GatewayError::TwoTargets { .. } => ".to",
        GatewayError::Upgrade { .. } => ".upgrade",
        GatewayError::WithoutService { setting, .. } => match *setting {
            "strip_prefix" => ".strip_prefix",
            "timeout" => ".timeout",
            "attempt_timeout" | "retry" => ".retry",
            "hedge" => ".hedge",
            "internal_identity" => ".internal_identity",
            "mirror" => ".mirror",
            "request_headers" => ".request_headers",
            _ => "",
        },
        _ => "",
    }
}
