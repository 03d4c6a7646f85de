//! Who may pass.

use msf_auth::Policy;

use super::super::report::Report;
use crate::{
    config::{GatewayConfig, RouteConfig},
    route::Route,
};

/// Who may pass.
pub(super) fn guard(
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
    route
}
