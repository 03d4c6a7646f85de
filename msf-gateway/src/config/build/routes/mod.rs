//! Routes: one table of the file after the other.

mod action;
mod answer;
mod call;
mod limit;
mod matching;
mod policy;
mod retry;

use std::collections::HashMap;

#[cfg(feature = "redis")]
pub(super) use self::limit::quota;
use self::{action::action, call::call, limit::rate_limit, matching::matching, policy::guard};
use super::{
    headers::{cors, ip, transform},
    parts::{LimiterKey, Parts},
    report::Report,
    shared_limit,
};
use crate::{
    config::{GatewayConfig, RouteConfig},
    route::Route,
};

pub(super) fn routes(
    config: &GatewayConfig,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Vec<Route> {
    if config.routes.is_empty() {
        report.hint("routes", "there is no route", "add [[routes]]");
    }
    let mut ids = HashMap::new();
    let mut routes = Vec::with_capacity(config.routes.len());
    for (place, route) in config.routes.iter().enumerate() {
        let at = format!("routes[{place}]");
        if let Some(id) = &route.id {
            if id.is_empty() {
                report.at(format!("{at}.id"), "must not be empty");
            }
            if let Some(first) = ids.insert(id, place) {
                report.at(
                    format!("{at}.id"),
                    format_args!("routes[{first}] has the id {id:?} already"),
                );
            }
        }
        routes.extend(one(config, route, &at, parts, report));
    }
    routes
}

/// Those at some places alone.
pub(super) fn some(
    config: &GatewayConfig,
    is_wanted: impl Fn(usize) -> bool,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Vec<Route> {
    let routes = config.routes.iter().enumerate();
    let routes = routes.filter(|(place, _)| is_wanted(*place));
    routes
        .filter_map(|(place, route)| one(config, route, &format!("routes[{place}]"), parts, report))
        .collect()
}

/// The route with its match and nothing else, which is what messages call it by.
pub(super) fn named(written: &RouteConfig) -> Route {
    let matches = written.r#match.clone().unwrap_or_default();
    // What is wrong with it was reported before.
    let route = matching(&matches, "", &mut Report::default());
    match &written.id {
        Some(id) => route.id(id.as_str()),
        None => route,
    }
}

fn one(
    config: &GatewayConfig,
    written: &RouteConfig,
    at: &str,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Option<Route> {
    let Some(matches) = &written.r#match else {
        report.hint(
            format!("{at}.match"),
            "must be set",
            "match = { path = \"/**\" } takes everything",
        );
        return None;
    };
    let mut route = matching(matches, &format!("{at}.match"), report);
    if let Some(id) = &written.id {
        route = route.id(id.as_str());
    }
    if let Some(order) = written.order {
        route = route.order(order);
    }
    let label = route.to_string();
    route = action(config, written, route, at, report);
    route = guard(config, written, route, at, report);
    if written.internal_identity {
        if config.internal_identity.is_none() {
            report.hint(
                format!("{at}.internal_identity"),
                "needs somebody who mints tokens",
                "add [internal_identity] with `issuer` and `key`",
            );
        }
        route = route.internal_identity();
    }
    if let Some(limit) = &written.rate_limit {
        let at = format!("{at}.rate_limit");
        if let Some((limiter, key)) =
            rate_limit(limit, LimiterKey::of(written), &label, &at, parts, report)
        {
            route = route.rate_limit(limiter, key);
        }
    }
    if let Some(limit) = &written.shared_rate_limit {
        let at = format!("{at}.shared_rate_limit");
        let (redis, id) = (config.redis.as_ref(), written.id.as_deref());
        route = shared_limit::limited(route, limit, redis, id, &at, parts, report);
    }
    if let Some(settings) = &written.cors {
        route = route.cors(cors(settings, &format!("{at}.cors"), report));
    }
    if let Some(rules) = &written.ip {
        let (allow, deny) = ip(rules, &format!("{at}.ip"), report);
        route = route.allow_ips(allow).deny_ips(deny);
    }
    route = call(config, written, route, at, report);
    if let Some(headers) = &written.request_headers {
        route = route.request_headers(transform(headers));
    }
    if let Some(headers) = &written.response_headers {
        route = route.response_headers(transform(headers));
    }
    Some(route)
}
