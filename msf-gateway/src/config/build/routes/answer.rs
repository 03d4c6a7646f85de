//! Answers without a service: redirects, fixed responses, maintenance.

use http::{HeaderValue, StatusCode};
use msf_core::problem::Code;

use super::super::{headers::ranges, report::Report};
use crate::{
    action::{DirectResponse, Maintenance, Redirect},
    config::{MaintenanceConfig, RedirectConfig, RespondConfig},
};

pub(super) fn to_redirect(
    config: &RedirectConfig,
    at: &str,
    report: &mut Report,
) -> Option<Redirect> {
    let RedirectConfig {
        to,
        path,
        prefix,
        scheme,
        host,
        port,
        ..
    } = config;
    let keys = [
        ("to", to.is_some()),
        ("path", path.is_some()),
        ("prefix", prefix.is_some()),
    ];
    report.alternatives(at, &keys);
    let parts = [
        ("scheme", scheme.is_some()),
        ("host", host.is_some()),
        ("port", port.is_some()),
    ];
    let part = parts.iter().find(|(_, is_set)| *is_set);
    if let (Some(_), Some((key, _))) = (to, part) {
        report.hint(
            format!("{at}.{key}"),
            "cannot stand beside `to`",
            "`to` says the whole target",
        );
    }
    let mut redirect = match (to, path, prefix) {
        (Some(to), ..) => Redirect::to(to),
        (None, Some(path), _) => Redirect::path(path),
        (None, None, Some(prefix)) => Redirect::prefix(prefix),
        (None, None, None) if part.is_none() => {
            report.hint(
                at,
                "leads nowhere",
                "set `to`, as \"https://shop.example/\"",
            );
            return None;
        }
        (None, None, None) => Redirect::new(),
    };
    if let Some(scheme) = scheme {
        redirect = redirect.scheme(scheme);
    }
    if let Some(host) = host {
        redirect = redirect.host(host);
    }
    if let Some(port) = port {
        redirect = redirect.port(*port);
    }
    let Some(status) = config.status else {
        return Some(redirect);
    };
    let status = StatusCode::from_u16(status).map_err(|_| "is no status");
    Some(redirect.status(report.check(format!("{at}.status"), status)?))
}

pub(super) fn to_response(
    config: &RespondConfig,
    at: &str,
    report: &mut Report,
) -> Option<DirectResponse> {
    if let Some(code) = &config.problem {
        let others = [
            ("status", config.status.is_some()),
            ("body", config.body.is_some()),
            ("content_type", config.content_type.is_some()),
        ];
        if let Some((key, _)) = others.iter().find(|(_, is_set)| *is_set) {
            report.at(format!("{at}.{key}"), "cannot stand beside `problem`");
        }
        let code = code
            .parse::<Code>()
            .map_err(|_| format!("there is no code {code:?}"));
        let problem = DirectResponse::problem(report.check(format!("{at}.problem"), code)?);
        return Some(match &config.detail {
            Some(detail) => problem.detail(detail),
            None => problem,
        });
    }
    if config.detail.is_some() {
        report.at(format!("{at}.detail"), "needs a `problem`");
    }
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

pub(super) fn to_maintenance(
    config: &MaintenanceConfig,
    at: &str,
    report: &mut Report,
) -> Maintenance {
    let mut maintenance = Maintenance::new();
    if let Some(wait) = config.retry_after {
        maintenance = maintenance.retry_after(wait.get());
    }
    if let Some(message) = &config.message {
        maintenance = maintenance.detail(message);
    }
    let except = ranges(&config.except, &format!("{at}.except"), report);
    maintenance = maintenance.except(except);
    maintenance
}
