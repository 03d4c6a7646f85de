//! Routes.

use std::{collections::HashMap, time::Duration};

use http::{HeaderValue, StatusCode};
use msf_auth::Policy;
use msf_core::backoff::Backoff;
use msf_resilience::{
    hedge::{HedgeBuilder, HedgePolicy},
    rate_limit::{Quota, RateLimiter},
    retry::{RetryPolicy, RetryPolicyBuilder},
};

use super::{
    headers::{cors, ip, methods, mirror, transform},
    parts::Parts,
    report::{Report, nearest},
};
use crate::{
    action::{DirectResponse, Maintenance, Redirect},
    config::{
        GatewayConfig, HedgeConfig, MaintenanceConfig, MatchConfig, PathMatch, RateLimitConfig,
        RateLimitKey, RedirectConfig, RespondConfig, RetryConfig, RouteConfig, TargetConfig,
        ValueMatch,
    },
    limit::{Key, RateKey},
    route::{CookieMatch, HeaderMatch, QueryMatch, Route},
};

/// A match of one of the three types, which have the same constructors and no trait.
macro_rules! value_match {
    ($type:ident, $name:expr, $value:expr) => {
        match $value {
            ValueMatch::Exact(text) => $type::exact($name, text.as_str()),
            ValueMatch::Prefix(text) => $type::prefix($name, text.as_str()),
            ValueMatch::Regex(text) => $type::regex($name, text.as_str()),
            ValueMatch::Present => $type::present($name),
            ValueMatch::Absent => $type::absent($name),
        }
    };
}

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
    if let Some(limit) = &written.rate_limit {
        let at = format!("{at}.rate_limit");
        if let Some((limiter, key)) = rate_limit(limit, &label, &at, parts, report) {
            route = route.rate_limit(limiter, key);
        }
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

/// Which requests it takes.
fn matching(config: &MatchConfig, at: &str, report: &mut Report) -> Route {
    let mut route = match &config.path {
        None => Route::prefix("/"),
        Some(PathMatch::Exact(path)) => {
            if path.contains('*') {
                report.hint(
                    format!("{at}.path"),
                    "a star stands for something only as `/**` at the end",
                    "a capture such as `{id}` takes one segment",
                );
            }
            Route::exact(path.as_str())
        }
        Some(PathMatch::Prefix(path)) => Route::prefix(path.as_str()),
        Some(PathMatch::Template(path)) => Route::template(path),
        Some(PathMatch::Regex(pattern)) => Route::regex(pattern.as_str()),
    };
    if let Some(host) = &config.host {
        route = route.host(host.as_str());
    }
    if !config.methods.as_slice().is_empty() {
        route = route.methods(methods(&config.methods, &format!("{at}.methods"), report));
    }
    for (name, value) in &config.header {
        route = route.header(value_match!(HeaderMatch, name.as_str(), value));
    }
    for (name, value) in &config.query {
        route = route.query(value_match!(QueryMatch, name.as_str(), value));
    }
    for (name, value) in &config.cookie {
        route = route.cookie(value_match!(CookieMatch, name.as_str(), value));
    }
    route
}

/// What becomes of its requests.
fn action(
    config: &GatewayConfig,
    written: &RouteConfig,
    mut route: Route,
    at: &str,
    report: &mut Report,
) -> Route {
    let set = [
        ("to", written.to.is_some()),
        ("redirect", written.redirect.is_some()),
        ("respond", written.respond.is_some()),
    ];
    let mut set = set
        .iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(key, _)| *key);
    match (set.next(), set.next()) {
        (None, _) => report.hint(
            format!("{at}.to"),
            "must be set",
            "the name of a cluster; or `redirect` or `respond`",
        ),
        (Some(first), Some(second)) => report.at(
            format!("{at}.{second}"),
            format_args!("cannot stand beside `{first}`"),
        ),
        (Some(_), None) => {}
    }
    match &written.to {
        None => {}
        Some(TargetConfig::One(name)) => {
            known(config, name, &format!("{at}.to"), report);
            route = route.to(name.as_str());
        }
        Some(TargetConfig::Split(split)) => {
            if split.iter().all(|part| part.weight == 0) {
                report.at(format!("{at}.to"), "needs a cluster with a weight above 0");
            }
            for (place, part) in split.iter().enumerate() {
                known(
                    config,
                    &part.cluster,
                    &format!("{at}.to[{place}].cluster"),
                    report,
                );
            }
            let parts = split
                .iter()
                .map(|part| (part.cluster.as_str(), part.weight));
            route = route.split(parts);
        }
    }
    if let Some(redirect) = &written.redirect
        && let Some(redirect) = to_redirect(redirect, &format!("{at}.redirect"), report)
    {
        route = route.redirect(redirect);
    }
    if let Some(respond) = &written.respond
        && let Some(response) = to_response(respond, &format!("{at}.respond"), report)
    {
        route = route.respond(response);
    }
    if let Some(maintenance) = &written.maintenance {
        route = route.maintenance(to_maintenance(maintenance));
    }
    route
}

/// Who may pass.
fn guard(
    config: &GatewayConfig,
    written: &RouteConfig,
    mut route: Route,
    at: &str,
    report: &mut Report,
) -> Route {
    let (path, text) = match (written.public, &written.policy) {
        (true, None) => return route.public(),
        (true, Some(_)) => {
            report.at(
                format!("{at}.policy"),
                "cannot stand beside `public = true`",
            );
            return route.public();
        }
        (false, Some(text)) => (format!("{at}.policy"), text),
        (false, None) => match &config.defaults.policy {
            Some(text) => ("defaults.policy".to_owned(), text),
            // Without anybody who could tell callers apart, every route is public: there is nothing to forget.
            None if config.auth.is_none() => return route.public(),
            None => {
                report.hint(
                    format!("{at}.policy"),
                    "must be set, since there is an [auth]",
                    "as \"authenticated\" or \"scope(orders:read)\"; or set `public = true`",
                );
                return route;
            }
        },
    };
    match text.parse::<Policy>() {
        Ok(policy) => {
            if config.auth.is_none() && !policy.is_public() {
                report.hint(
                    &path,
                    "needs to know whose tokens are believed",
                    "add [auth] with an issuer",
                );
            }
            route = route.policy(policy);
        }
        // That of the defaults would be reported once for each route.
        Err(error) if path.starts_with("routes") => report.at(path, error),
        Err(_) => {}
    }
    if written.internal_identity {
        report.unsupported(format!("{at}.internal_identity"));
    }
    route
}

/// How the service is called.
fn call(
    config: &GatewayConfig,
    written: &RouteConfig,
    mut route: Route,
    at: &str,
    report: &mut Report,
) -> Route {
    let is_service =
        matches!(&written.to, Some(TargetConfig::One(name)) if !config.clusters.contains_key(name));
    match (written.timeout, config.defaults.timeout) {
        (Some(timeout), _) => route = route.timeout(timeout.get()),
        // A cluster has it already.
        (None, Some(timeout)) if is_service => route = route.timeout(timeout.get()),
        (None, _) => {}
    }
    if let Some(limit) = written.body_limit.or(config.defaults.body_limit) {
        route = route.body_limit(limit.get());
    }
    if let Some(settings) = &written.retry {
        route = retried(route, settings, &format!("{at}.retry"), report);
    }
    if let Some(settings) = &written.hedge {
        route = hedged(route, settings, &format!("{at}.hedge"), report);
    }
    let paths = [
        ("strip_prefix", written.strip_prefix),
        ("replace_prefix", written.replace_prefix.is_some()),
        ("rewrite", written.rewrite.is_some()),
    ];
    let mut paths = paths
        .iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(key, _)| *key);
    if let (Some(first), Some(second)) = (paths.next(), paths.next()) {
        report.at(
            format!("{at}.{second}"),
            format_args!("cannot stand beside `{first}`"),
        );
    }
    if written.strip_prefix {
        route = route.strip_prefix();
    } else if let Some(prefix) = &written.replace_prefix {
        route = route.replace_prefix(prefix.as_str());
    } else if let Some(path) = &written.rewrite {
        route = route.rewrite(path.as_str());
    }
    if let Some(settings) = &written.mirror {
        known(config, &settings.to, &format!("{at}.mirror.to"), report);
        if settings
            .percent
            .is_some_and(|percent| !(percent > 0.0 && percent <= 100.0))
        {
            report.at(
                format!("{at}.mirror.percent"),
                "must be above 0 and at most 100",
            );
        }
        route = route.mirror(mirror(settings));
    }
    if !written.upgrade.as_slice().is_empty() {
        route = route.upgrade(written.upgrade.as_slice());
    }
    route
}

/// A route whose calls are tried again.
fn retried(mut route: Route, config: &RetryConfig, at: &str, report: &mut Report) -> Route {
    if let Some(timeout) = config.attempt_timeout {
        route = route.attempt_timeout(timeout.get());
    }
    let waits = match (config.wait, config.wait_max) {
        (None, None) => None,
        (base, max) => {
            let base = base.map_or(RETRY_WAIT, |base| base.get());
            let max = max.map_or(RETRY_WAIT_MAX, |max| max.get());
            report.check(format!("{at}.wait"), Backoff::exponential(base, max))
        }
    };
    let (attempts, body_limit) = (config.attempts, config.body_limit);
    let change = move |mut policy: RetryPolicyBuilder| {
        if let Some(attempts) = attempts {
            policy = policy.max_attempts(attempts);
        }
        if let Some(waits) = waits {
            policy = policy.transient(waits);
        }
        if let Some(bytes) = body_limit {
            policy = policy.body_limit(bytes.get());
        }
        policy
    };
    report.check(at, change(RetryPolicy::builder("check")).check());
    route.retry(change)
}

/// A route whose slow calls get another attempt beside them.
fn hedged(route: Route, config: &HedgeConfig, at: &str, report: &mut Report) -> Route {
    let (after, quantile, attempts) = (config.after, config.quantile, config.attempts);
    if after.is_some() && quantile.is_some() {
        report.at(format!("{at}.quantile"), "cannot stand beside `after`");
    }
    let change = move |mut policy: HedgeBuilder| {
        if let Some(quantile) = quantile {
            policy = policy.after_quantile(quantile);
        }
        if let Some(after) = after {
            policy = policy.after(after.get());
        }
        if let Some(attempts) = attempts {
            policy = policy.max_hedges(attempts);
        }
        policy
    };
    report.check(at, change(HedgePolicy::builder("check")).check());
    route.hedge(change)
}

fn rate_limit(
    config: &RateLimitConfig,
    label: &str,
    at: &str,
    parts: &mut Parts<'_>,
    report: &mut Report,
) -> Option<(RateLimiter<RateKey>, Key)> {
    let Some(requests) = config.requests else {
        report.hint(format!("{at}.requests"), "must be set", "as 50");
        return None;
    };
    let per = config.per.map_or(SECOND, |per| per.get());
    let mut quota = Quota::per(requests, per);
    if let Some(burst) = config.burst {
        quota = quota.burst(burst);
    }
    let key = match config.by {
        RateLimitKey::Client => Key::Client,
        RateLimitKey::Subject => Key::Subject,
    };
    let limiter = report.check(at, parts.limiter(label, config, quota))?;
    Some((limiter, key))
}

fn to_redirect(config: &RedirectConfig, at: &str, report: &mut Report) -> Option<Redirect> {
    let redirect = Redirect::to(&config.to);
    let Some(status) = config.status else {
        return Some(redirect);
    };
    let status = StatusCode::from_u16(status).map_err(|_| "is no status");
    Some(redirect.status(report.check(format!("{at}.status"), status)?))
}

fn to_response(config: &RespondConfig, at: &str, report: &mut Report) -> Option<DirectResponse> {
    let status = StatusCode::from_u16(config.status.unwrap_or(200)).map_err(|_| "is no status");
    let status = report.check(format!("{at}.status"), status)?;
    let Some(body) = &config.body else {
        if config.content_type.is_some() {
            report.at(format!("{at}.content_type"), "needs a `body`");
        }
        return Some(DirectResponse::status(status));
    };
    let Some(content_type) = &config.content_type else {
        return Some(DirectResponse::text(status, body));
    };
    let content_type = HeaderValue::from_str(content_type).map_err(|_| "is no value of a header");
    let content_type = report.check(format!("{at}.content_type"), content_type)?;
    Some(DirectResponse::bytes(status, content_type, body.clone()))
}

fn to_maintenance(config: &MaintenanceConfig) -> Maintenance {
    let mut maintenance = Maintenance::new();
    if let Some(wait) = config.retry_after {
        maintenance = maintenance.retry_after(wait.get());
    }
    if let Some(message) = &config.message {
        maintenance = maintenance.detail(message);
    }
    maintenance
}

/// Without a registry only clusters can be led to.
fn known(config: &GatewayConfig, name: &str, at: &str, report: &mut Report) {
    if config.registry.is_some() || config.clusters.contains_key(name) {
        return;
    }
    let message = format!("there is no cluster {name:?}");
    match nearest(name, config.clusters.keys().map(String::as_str)) {
        Some(near) => report.hint(at, message, format!("did you mean {near:?}?")),
        None => report.hint(
            at,
            message,
            format!("add [clusters.{name}], or a [registry] that knows the service"),
        ),
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// The defaults of a policy, for whoever sets one of the two.
const RETRY_WAIT: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(20);
