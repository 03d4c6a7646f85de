//! From the target that the client asked for to the one that is forwarded.

use http::{Request, Uri, uri::PathAndQuery};

use crate::{
    own,
    path::{CanonicalPath, InvalidPath},
};

/// Gives the request its canonical path, in origin form.
pub(crate) fn canonical<B>(request: &mut Request<B>) -> Result<(), InvalidPath> {
    let uri = request.uri();
    let path = CanonicalPath::parse(uri.path())?;
    if path.is_unchanged() {
        return Ok(());
    }
    let target = with_query(path.as_str(), uri.query())?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(target);
    // Only the path has changed, to a valid one.
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| InvalidPath::Character)?;
    Ok(())
}

/// Whether the forwarded path is for the inside: one by which services talk among themselves, or a probe or
/// the metrics of a service.
pub(crate) fn is_internal(path: &str, strip: usize) -> bool {
    let forwarded = path.get(strip..).unwrap_or(path);
    let is_between_services = forwarded
        .strip_prefix(INTERNAL)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // A service that overlooks a slash at the end must not be asked for what it says on the quiet.
    is_between_services || own::is_reserved(forwarded.strip_suffix('/').unwrap_or(forwarded))
}

/// Removes the first `strip` bytes of the path, and scheme and authority.
pub(crate) fn strip(uri: &mut Uri, strip: usize) {
    let stripped = match strip {
        0 if uri.authority().is_none() => return,
        0 => uri.path_and_query().cloned(),
        _ => {
            let rest = uri.path().get(strip..).filter(|rest| rest.starts_with('/'));
            with_query(rest.unwrap_or("/"), uri.query()).ok()
        }
    };
    // A part of a valid path, from a slash on, is a valid path.
    *uri = stripped.map_or_else(|| Uri::from_static("/"), Uri::from);
}

/// Puts another path in the place of the one that is there, and removes scheme and authority.
pub(crate) fn with_path(uri: &mut Uri, path: &str) -> Option<()> {
    let target = with_query(path, uri.query()).ok()?;
    *uri = Uri::from(target);
    Some(())
}

fn with_query(path: &str, query: Option<&str>) -> Result<PathAndQuery, InvalidPath> {
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    PathAndQuery::try_from(text).map_err(|_invalid| InvalidPath::Character)
}

const INTERNAL: &str = "/internal";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forwarded(target: &str, prefix: &str) -> Result<String, InvalidPath> {
        let mut request = Request::get(target).body(()).unwrap();
        canonical(&mut request)?;
        let (mut parts, ()) = request.into_parts();
        strip(&mut parts.uri, prefix.len());
        Ok(parts.uri.to_string())
    }

    #[test]
    fn the_query_is_forwarded_as_it_came() {
        for (target, prefix, expected) in [
            ("/a?x=%2f..%00&y", "", "/a?x=%2f..%00&y"),
            ("/%61?x=1", "", "/a?x=1"),
            ("/a?", "", "/a?"),
            ("/api/orders/7?x=1", "/api/orders", "/7?x=1"),
            ("/api/orders", "/api/orders", "/"),
            ("/api/orders/", "/api/orders", "/"),
            ("/api/orders?x", "/api/orders", "/?x"),
            ("/api/%6frders/%c3%a9", "/api/orders", "/%C3%A9"),
            ("http://shop/a?b", "", "/a?b"),
            ("http://shop", "", "/"),
            ("http://shop/%61/b", "/a", "/b"),
        ] {
            assert_eq!(
                forwarded(target, prefix).as_deref(),
                Ok(expected),
                "{target}"
            );
        }
    }

    #[test]
    fn internal_paths_are_found_after_the_prefix_is_gone() {
        for (path, strip, expected) in [
            ("/internal", 0, true),
            ("/internal/charges", 0, true),
            ("/internals", 0, false),
            ("/api/internal", 0, false),
            ("/api/internal/charges", 4, true),
            ("/api", 4, false),
            ("/api/metrics", 4, true),
            ("/api/metrics", 0, false),
            ("/api/metrics/", 4, true),
            ("/api/health", 4, true),
            ("/health/", 0, true),
            ("/", 0, false),
        ] {
            assert_eq!(is_internal(path, strip), expected, "{path} {strip}");
        }
    }

    proptest! {
        #[test]
        fn what_is_routed_is_what_is_forwarded(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("a"), Just("/"), Just("%2e"), Just("."), Just("%41"), Just("%c3%a9"),
                    Just("%2f"), Just("%25"), Just("%20"), Just("?"), Just("%3f"), Just("="), Just("2f"),
                ],
                0..10,
            ),
        ) {
            let target = format!("/{}", pieces.concat());
            let mut request = Request::get(&target).body(()).unwrap();
            if canonical(&mut request).is_ok() {
                let routed = request.uri().path().to_owned();
                prop_assert!(CanonicalPath::parse(&routed).unwrap().is_unchanged(), "{routed}");
                let (mut parts, ()) = request.into_parts();
                strip(&mut parts.uri, 0);
                prop_assert_eq!(parts.uri.path(), routed);
                let query = target.split_once('?').map(|(_, query)| query);
                prop_assert_eq!(parts.uri.query(), query);
            }
        }
    }
}
