//! Headers that concern one connection and must not be passed on (RFC 9110 §7.6.1).
//!
//! ```
//! use http::{HeaderMap, header};
//! use msf_gateway::headers::hop_by_hop;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("connection", "upgrade, x-hop".parse()?);
//! headers.insert("upgrade", "h2c".parse()?);
//! headers.insert("http2-settings", "AAMAAABk".parse()?);
//! headers.insert("x-hop", "1".parse()?);
//! headers.insert("te", "gzip, trailers;q=0.5".parse()?);
//!
//! hop_by_hop::strip_request(&mut headers);
//! assert!(headers.is_empty());
//! # Ok::<(), header::InvalidHeaderValue>(())
//! ```

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ALT_SVC, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_TYPE, COOKIE, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE,
        TE, TRANSFER_ENCODING, UPGRADE, VIA, WWW_AUTHENTICATE,
    },
};

use super::remove_where;

/// Removes what a request says about the client's own connection.
///
/// Of `TE` the word `trailers` is kept, since the gateway passes trailers on; it is said anew, on the
/// connection to the service. `Trailer` and `Expect` concern the message and stay; see
/// [`trailers`](super::trailers) for what may be announced.
pub fn strip_request(headers: &mut HeaderMap) {
    let wants_trailers = headers.contains_key(TE) && are_trailers_wanted(headers);
    strip_listed(headers);
    remove_where(headers, is_of_request);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes what a response says about the service's own connection.
///
/// A `Content-Length` beside `Transfer-Encoding` is not the length of the body that is passed on
/// (RFC 9112 §6.3), so it is removed too.
pub fn strip_response(headers: &mut HeaderMap) {
    // Most answers have three headers, and none of these.
    if !headers.keys().any(is_of_response) {
        return;
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    strip_listed(headers);
    remove_where(headers, is_of_response);
}

/// Removes the headers that `Connection` lists, but for those that are never a matter of one connection:
/// a client could otherwise take from its request what the service or a proxy before us relies on.
fn strip_listed(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|token| token.trim().parse().ok())
        .filter(|name| !is_end_to_end(name))
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

/// Whether the client takes trailers: it says exactly that word.
fn are_trailers_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Whether it is one of the names for which [`strip_request`] has something to do.
pub(super) fn is_of_request(name: &HeaderName) -> bool {
    is_of_connection(name) || *name == PROXY_AUTHORIZATION
}

fn is_of_response(name: &HeaderName) -> bool {
    is_of_connection(name) || *name == PROXY_AUTHENTICATE || *name == ALT_SVC
}

fn is_of_connection(name: &HeaderName) -> bool {
    match *name {
        CONNECTION | TE | TRANSFER_ENCODING | UPGRADE => true,
        _ => matches!(
            name.as_str(),
            "keep-alive"
                | "proxy-connection"
                | "http2-settings"
                | "close"
                | "proxy-features"
                | "proxy-authentication-info"
        ),
    }
}

fn is_end_to_end(name: &HeaderName) -> bool {
    match *name {
        AUTHORIZATION | CACHE_CONTROL | CONTENT_ENCODING | CONTENT_LENGTH | CONTENT_TYPE
        | COOKIE | FORWARDED | HOST | SET_COOKIE | VIA | WWW_AUTHENTICATE => true,
        _ => {
            let name = name.as_str();
            matches!(
                name,
                "x-request-id" | "traceparent" | "tracestate" | "baggage" | "idempotency-key"
            ) || name.starts_with("x-forwarded-")
        }
    }
}

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
    fn what_connection_lists_goes_with_it() {
        let mut request = headers(&[
            ("connection", "X-One , keep-alive,x-two"),
            ("connection", "x-three"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("accept", "*/*"),
        ]);
        strip_request(&mut request);
        assert_eq!(names(&request), ["accept"]);
    }

    #[test]
    fn connection_cannot_remove_what_belongs_to_the_message() {
        let mut request = headers(&[
            (
                "connection",
                "authorization, x-forwarded-for, X-Request-Id, host, cookie, idempotency-key",
            ),
            ("authorization", "Bearer x"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-request-id", "a"),
            ("host", "shop"),
            ("cookie", "a=b"),
            ("idempotency-key", "k"),
        ]);
        strip_request(&mut request);
        assert_eq!(
            names(&request),
            [
                "authorization",
                "cookie",
                "host",
                "idempotency-key",
                "x-forwarded-for",
                "x-request-id"
            ]
        );
    }

    #[test]
    fn every_field_of_the_connection_is_removed_from_requests() {
        let mut request = headers(&[
            ("te", "gzip;q=0.5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABk"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
        ]);
        strip_request(&mut request);
        assert!(request.is_empty(), "{request:?}");
    }

    #[test]
    fn that_a_client_takes_trailers_is_said_again() {
        let mut request = headers(&[("connection", "te"), ("te", "gzip, Trailers")]);
        strip_request(&mut request);
        assert_eq!(names(&request), ["te"]);
        assert_eq!(request[TE], "trailers");
    }

    #[test]
    fn a_length_beside_chunks_is_not_passed_on() {
        let mut response = headers(&[("transfer-encoding", "chunked"), ("content-length", "3")]);
        strip_response(&mut response);
        assert!(response.is_empty());

        let mut response = headers(&[("content-length", "3"), ("connection", "content-length")]);
        strip_response(&mut response);
        assert_eq!(names(&response), ["content-length"]);
    }

    #[test]
    fn a_malformed_connection_header_does_no_harm() {
        let mut request = headers(&[("connection", ",,  ,=,\u{e9},x-a"), ("x-a", "1")]);
        request.append(CONNECTION, HeaderValue::from_bytes(b"\xff,x-b").unwrap());
        strip_request(&mut request);
        assert!(!request.contains_key(CONNECTION));
    }
}
