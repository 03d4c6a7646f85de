//! Which requests a route takes.

use super::super::{headers::methods, report::Report};
use crate::{
    config::{MatchConfig, PathMatch, ValueMatch},
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

/// Which requests it takes.
pub(super) fn matching(config: &MatchConfig, at: &str, report: &mut Report) -> Route {
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
