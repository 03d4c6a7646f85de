//! Paths that were put together by a program.

use std::fmt::Write;

use http::Uri;

use super::query;
use crate::Error;

/// Adds one segment, percent-encoded, so that no value can end its place.
pub(super) fn push(path: &mut String, segment: &str) -> Result<(), &'static str> {
    if path.contains('?') {
        return Err("a segment of the path comes before the query");
    }
    // No encoding keeps these from being read as what they mean (RFC 3986 section 6.2.2.3).
    if matches!(segment, "" | "." | "..") {
        return Err("a segment of a path is not empty, `.` or `..`");
    }
    if !path.ends_with('/') {
        path.push('/');
    }
    query::encode(path, segment);
    Ok(())
}

/// The target of a request, if the path leads where it seems to lead.
///
/// A value that a program put into a path must not lead out of its place: not upwards, not to another host, and it
/// must not cut off what comes after it, as everything behind a `#` would be.
pub(super) fn target(path: &str) -> Result<Uri, Error> {
    if !path.starts_with('/') {
        return Err(invalid("the path does not begin with `/`"));
    }
    if path.starts_with("//") {
        return Err(invalid("the path begins with `//`, which names a host"));
    }
    if path.contains('#') {
        return Err(invalid("the path has a `#`, behind which nothing is sent"));
    }
    let before_query = path.split('?').next().unwrap_or(path);
    if climbs(before_query) {
        return Err(invalid("the path has a segment `.` or `..`"));
    }
    let parsed = if path.is_ascii() {
        path.parse()
    } else {
        ascii(path).parse()
    };
    parsed.map_err(|error: http::uri::InvalidUri| invalid(error))
}

fn invalid(source: impl Into<msf_core::BoxError>) -> Error {
    Error::InvalidRequest {
        source: source.into(),
    }
}

/// Whether any reader could find a dot segment, such as one that decodes before it looks.
fn climbs(path: &str) -> bool {
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    if !path.contains(['%', '\\']) {
        return path.split('/').any(is_dots);
    }
    let mut decoded = path.to_ascii_lowercase();
    for (written, meant) in [("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/")] {
        decoded = decoded.replace(written, meant);
    }
    decoded.split('/').any(is_dots)
}

/// The path with everything that is not ASCII percent-encoded (RFC 3987 section 3.1).
fn ascii(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_is_one_segment(segment in ".{1,30}") {
            prop_assume!(segment != "." && segment != "..");
            let mut path = String::from("/orders");
            push(&mut path, &segment).unwrap();
            let Ok(uri) = target(&path) else {
                // Who decodes it could read a step up: `..\x` is no name of anything.
                prop_assert!(segment.contains(['/', '\\']), "{}", segment);
                return Ok(());
            };
            prop_assert_eq!(uri.query(), None);
            let last = uri.path().strip_prefix("/orders/").unwrap();
            prop_assert!(!last.contains('/'));
        }

        #[test]
        fn no_path_panics(path in ".{0,40}") {
            let _refused = target(&path);
        }
    }
}
