//! Which key of the file an error of the builder is about.

use crate::{
    config::{ConfigProblem, GatewayConfig, MatchConfig, PathMatch, RouteConfig},
    gateway::GatewayError,
    route::{InvalidMatch, Route},
};

/// The error, at the key that is to blame.
pub(super) fn problem(config: &GatewayConfig, error: &GatewayError) -> ConfigProblem {
    let text = chain(error);
    let routes = || config.routes.iter().enumerate();
    // Errors about a route begin with its label. Of two with one label the later is the one that is too much.
    let route = routes().rev().find_map(|(place, route)| {
        let rest = text.strip_prefix(&label(route))?.strip_prefix(": ")?;
        Some((format!("routes[{place}]{}", key(error)), rest.to_owned()))
    });
    let (path, message) = route.unwrap_or_else(|| (String::new(), text.clone()));
    ConfigProblem {
        path,
        place: None,
        message,
        hint: None,
    }
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
        _ => "",
    }
}

/// How the builder calls the route.
fn label(route: &RouteConfig) -> String {
    if let Some(id) = &route.id {
        return id.clone();
    }
    let default = MatchConfig::default();
    let matches = route.r#match.as_ref().unwrap_or(&default);
    let named = match &matches.path {
        None => Route::prefix("/"),
        Some(PathMatch::Exact(path)) => Route::exact(path.as_str()),
        Some(PathMatch::Prefix(path)) => Route::prefix(path.as_str()),
        Some(PathMatch::Template(path)) => Route::template(path),
        Some(PathMatch::Regex(pattern)) => Route::regex(pattern.as_str()),
    };
    match &matches.host {
        Some(host) => named.host(host.as_str()).to_string(),
        None => named.to_string(),
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
