//! How the service of a route is called: times and sizes, the path, the copy, the upgrade.

use super::{
    super::{headers::mirror, report::Report},
    action::known,
    retry::{hedged, retried},
};
use crate::{
    config::{GatewayConfig, RouteConfig},
    route::Route,
};

/// How the service is called.
pub(super) fn call(
    config: &GatewayConfig,
    written: &RouteConfig,
    mut route: Route,
    at: &str,
    report: &mut Report,
) -> Route {
    // That of the defaults is one of the clusters.
    if let Some(timeout) = written.timeout {
        route = route.timeout(timeout.get());
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
    report.alternatives(at, &paths);
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
    if let Some(timeout) = written.upgrade_idle_timeout {
        if written.upgrade.as_slice().is_empty() {
            let at = format!("{at}.upgrade_idle_timeout");
            report.hint(at, "is of no effect", "set `upgrade`, as \"websocket\"");
        }
        route = route.upgrade_idle_timeout(timeout.get());
    }
    route
}
