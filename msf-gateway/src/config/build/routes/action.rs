//! What becomes of the requests of a route: a service, or an answer of our own.

use super::{
    super::report::{Report, nearest},
    answer::{to_maintenance, to_redirect, to_response},
};
use crate::{
    config::{GatewayConfig, RouteConfig, TargetConfig},
    route::Route,
};

/// What becomes of its requests.
pub(super) fn action(
    config: &GatewayConfig,
    written: &RouteConfig,
    mut route: Route,
    at: &str,
    report: &mut Report,
) -> Route {
    let actions = [
        ("to", written.to.is_some()),
        ("redirect", written.redirect.is_some()),
        ("respond", written.respond.is_some()),
    ];
    if !report.alternatives(at, &actions) {
        report.hint(
            format!("{at}.to"),
            "must be set",
            "the name of a cluster; or `redirect` or `respond`",
        );
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
        route = route.maintenance(to_maintenance(
            maintenance,
            &format!("{at}.maintenance"),
            report,
        ));
    }
    route
}

/// Without a registry only clusters can be led to.
pub(super) fn known(config: &GatewayConfig, name: &str, at: &str, report: &mut Report) {
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
