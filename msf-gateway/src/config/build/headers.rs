//! Transforms of headers and paths, CORS, addresses.

use http::Method;

use super::report::Report;
use crate::{
    config::{CorsConfig, HeadersConfig, IpConfig, MirrorConfig, Texts},
    cors::Cors,
    headers::IpRange,
    mirror::Mirror,
    transform::HeaderTransform,
};

pub(super) fn transform(config: &HeadersConfig) -> HeaderTransform {
    let mut transform = HeaderTransform::new();
    for name in config.remove.as_slice() {
        transform = transform.remove(name);
    }
    for (name, value) in &config.set {
        transform = transform.set(name, value);
    }
    for (name, value) in &config.add {
        transform = transform.add(name, value);
    }
    transform
}

pub(super) fn cors(config: &CorsConfig, at: &str, report: &mut Report) -> Cors {
    let mut cors = Cors::new();
    if config.origins.as_slice().is_empty() {
        report.hint(
            format!("{at}.origins"),
            "must be set",
            "as [\"https://shop.example\"], or \"*\" for every origin",
        );
    }
    for origin in config.origins.as_slice() {
        cors = match origin.as_str() {
            "*" => cors.any_origin(),
            origin => cors.origins([origin]),
        };
    }
    if !config.methods.as_slice().is_empty() {
        cors = cors.methods(methods(&config.methods, &format!("{at}.methods"), report));
    }
    for header in config.headers.as_slice() {
        cors = match header.as_str() {
            "*" => cors.any_header(),
            header => cors.headers([header]),
        };
    }
    cors = cors.expose(config.expose.as_slice());
    if config.credentials {
        cors = cors.credentials();
    }
    if let Some(age) = config.max_age {
        cors = cors.max_age(age.get());
    }
    cors
}

pub(super) fn methods(texts: &Texts, at: &str, report: &mut Report) -> Vec<Method> {
    let texts = texts.as_slice().iter().enumerate();
    texts
        .filter_map(|(place, text)| {
            let at = item(at, place);
            let upper = text.to_ascii_uppercase();
            if upper != *text && STANDARD.contains(&upper.as_str()) {
                report.hint(
                    at,
                    format_args!("methods are case-sensitive, and {text:?} is none of the usual"),
                    format!("did you mean {upper:?}?"),
                );
                return None;
            }
            let method = Method::from_bytes(text.as_bytes());
            report.check(at, method.map_err(|_| format!("{text:?} is no method")))
        })
        .collect()
}

/// The place of a text. The first may be written without a list, and is found by the key all the same.
fn item(at: &str, place: usize) -> String {
    match place {
        0 => at.to_owned(),
        place => format!("{at}[{place}]"),
    }
}

pub(super) fn ranges(texts: &Texts, at: &str, report: &mut Report) -> Vec<IpRange> {
    let texts = texts.as_slice().iter().enumerate();
    texts
        .filter_map(|(place, text)| {
            let at = item(at, place);
            report.check(at, text.parse())
        })
        .collect()
}

/// Allowed and denied.
pub(super) fn ip(config: &IpConfig, at: &str, report: &mut Report) -> (Vec<IpRange>, Vec<IpRange>) {
    let allow = ranges(&config.allow, &format!("{at}.allow"), report);
    let deny = ranges(&config.deny, &format!("{at}.deny"), report);
    if config.allow.as_slice().is_empty() && config.deny.as_slice().is_empty() {
        report.hint(at, "names no address", "set `allow`, `deny` or both");
    }
    (allow, deny)
}

pub(super) fn mirror(config: &MirrorConfig) -> Mirror {
    let mut mirror = Mirror::to(&config.to);
    if let Some(percent) = config.percent {
        mirror = mirror.percent(percent);
    }
    if let Some(bytes) = config.body_max {
        mirror = mirror.body_max(bytes.get());
    }
    if let Some(copies) = config.in_flight_max {
        mirror = mirror.in_flight_max(copies);
    }
    match config.timeout {
        Some(timeout) => mirror.timeout(timeout.get()),
        None => mirror,
    }
}

const STANDARD: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];
