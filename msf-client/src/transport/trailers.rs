//! Fields after the body, and which of them may be there.
//!
//! Whoever receives a trailer may merge it into the header, so a name that changes how a message is
//! read, where it goes or who sent it must not come in by this way (RFC 9110 section 6.5.1).

use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT_ENCODING, AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE, DATE, EXPECT, EXPIRES, FORWARDED,
        HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION,
        MAX_FORWARDS, ORIGIN, PRAGMA, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, RETRY_AFTER,
        SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY, VIA,
        WARNING, WWW_AUTHENTICATE,
    },
};

/// Whether a field may stand after the body.
///
/// ```
/// use http::{HeaderName, header};
/// use msf_client::transport::may_trail;
///
/// assert!(may_trail(&HeaderName::from_static("grpc-status")));
/// assert!(may_trail(&HeaderName::from_static("content-digest")));
/// assert!(!may_trail(&header::CONTENT_LENGTH));
/// assert!(!may_trail(&header::AUTHORIZATION));
/// assert!(!may_trail(&HeaderName::from_static("x-forwarded-for")));
/// ```
#[must_use]
pub fn may_trail(name: &HeaderName) -> bool {
    match *name {
        // Framing and routing.
        CONNECTION | CONTENT_LENGTH | HOST | TE | TRAILER | TRANSFER_ENCODING | UPGRADE | VIA
        | FORWARDED | MAX_FORWARDS | EXPECT => false,
        // Who sent it, and who may read it.
        AUTHORIZATION
        | COOKIE
        | ORIGIN
        | PROXY_AUTHENTICATE
        | PROXY_AUTHORIZATION
        | SET_COOKIE
        | STRICT_TRANSPORT_SECURITY
        | WWW_AUTHENTICATE => false,
        // How it is read, and under which conditions.
        ACCEPT_ENCODING | CONTENT_ENCODING | CONTENT_RANGE | CONTENT_TYPE | IF_MATCH
        | IF_MODIFIED_SINCE | IF_NONE_MATCH | IF_RANGE | IF_UNMODIFIED_SINCE | RANGE => false,
        // What is done with it afterwards.
        AGE | CACHE_CONTROL | DATE | EXPIRES | LOCATION | PRAGMA | RETRY_AFTER | VARY | WARNING => {
            false
        }
        _ => {
            let name = name.as_str();
            let is_of_connection = matches!(
                name,
                "keep-alive" | "proxy-connection" | "http2-settings" | "close"
            );
            let is_of_proxies = name.starts_with("x-forwarded-")
                || matches!(
                    name,
                    "x-real-ip" | "x-request-id" | "traceparent" | "tracestate" | "baggage"
                );
            // Underscores stand for dashes where headers become variables of a program.
            !is_of_connection && !is_of_proxies && !name.contains('_')
        }
    }
}

/// Removes from trailers what may not be there.
pub(super) fn clean(trailers: &mut HeaderMap) {
    keep(trailers, may_trail);
}

/// Removes from the trailers of a request what its header did not announce as well.
pub(super) fn clean_announced(trailers: &mut HeaderMap, announced: &[HeaderName]) {
    keep(trailers, |name| may_trail(name) && announced.contains(name));
}

/// The names that a header announces in `Trailer`, without those that may not be there.
pub(super) fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    if !headers.contains_key(TRAILER) {
        return Vec::new();
    }
    let values = headers.get_all(TRAILER).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|token| token.trim().parse().ok())
        .filter(may_trail)
        .take(ANNOUNCED_MAX)
        .collect()
}

/// Whether the sender said that it takes trailers: the token `trailers` in `TE`.
pub(super) fn are_wanted(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().any(|value| {
        let tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens
            .map(<[u8]>::trim_ascii)
            .any(|token| token.eq_ignore_ascii_case(b"trailers"))
    })
}

fn keep(trailers: &mut HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) {
    // Usually nothing is found, and an empty vector allocates nothing.
    let unwanted: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| !is_wanted(name))
        .cloned()
        .collect();
    for name in unwanted {
        trailers.remove(name);
    }
}

/// Who announces more of them than a header may have lines is not served better for it.
const ANNOUNCED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_changes_the_message_is_removed() {
        let mut trailers = headers(&[
            ("grpc-status", "0"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("host", "elsewhere"),
            ("set-cookie", "a=b"),
            ("content-type", "text/html"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("server-timing", "db;dur=1"),
        ]);
        clean(&mut trailers);
        assert_eq!(names(&trailers), ["grpc-status", "server-timing"]);
    }

    #[test]
    fn of_a_request_only_what_was_announced_is_kept() {
        let head = headers(&[
            ("trailer", "X-Sum , authorization"),
            ("trailer", "\"?,,x-count"),
        ]);
        let announced = announced(&head);
        assert_eq!(announced, ["x-sum", "x-count"]);
        let mut trailers = headers(&[
            ("x-sum", "7"),
            ("authorization", "Bearer x"),
            ("x-user-id", "1"),
        ]);
        clean_announced(&mut trailers, &announced);
        assert_eq!(names(&trailers), ["x-sum"]);
    }

    #[test]
    fn trailers_are_wanted_by_who_says_exactly_that() {
        for (value, is_wanted) in [
            ("trailers", true),
            ("gzip, Trailers", true),
            ("trailers;q=0.5", false),
            ("trailer", false),
            ("", false),
        ] {
            assert_eq!(are_wanted(&headers(&[("te", value)])), is_wanted, "{value}");
        }
        assert!(!are_wanted(&HeaderMap::new()));
    }
}
