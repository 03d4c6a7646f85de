//! Which key of the file an error of the builder is about.

use super::routes::named;
use crate::{
    config::{ConfigProblem, GatewayConfig},
    gateway::GatewayError,
    route::InvalidMatch,
};

/// The errors, each at the key that is to blame.
pub(super) fn problems(config: &GatewayConfig, errors: &[GatewayError]) -> Vec<ConfigProblem> {
    let names: Vec<[String; 2]> = config
        .routes
        .iter()
        .map(|route| {
            let route = named(route);
            [route.to_string(), route.matches.to_string()]
        })
        .collect();
    let problem = |error| {
        let (path, message) = blamed(&names, error);
        ConfigProblem {
            path,
            place: None,
            message,
            hint: None,
        }
    };
    errors.iter().map(problem).collect()
}

fn blamed(names: &[[String; 2]], error: &GatewayError) -> (String, String) {
    if let GatewayError::Cluster { cluster, source } = error {
        return (format!("clusters.{cluster}"), source.to_string());
    }
    let text = chain(error);
    // Errors about a route begin with what it is called. Of two that are called alike the later is one too many.
    let mut routes = names.iter().enumerate().rev();
    let route = routes.find_map(|(place, names)| {
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
        GatewayError::InvalidHedge { .. } => ".hedge",
        GatewayError::InvalidMirror { .. } => ".mirror",
        GatewayError::InvalidRedirect { .. } => ".redirect",
        GatewayError::InvalidResponse { .. } => ".respond",
        GatewayError::InvalidRetry { .. } => ".retry",
        GatewayError::InvalidSplit { .. } => ".to",
        _ => "",
    }
}

/// The error with what it was caused by, unless it says so itself.
fn chain(error: &GatewayError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
