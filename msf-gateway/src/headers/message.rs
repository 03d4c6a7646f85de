//! Messages that two servers could read differently, and that are therefore refused.
//!
//! hyper refuses most of them while it parses: a malformed or contradictory `Content-Length`, a
//! `Transfer-Encoding` in HTTP/1.0, whitespace before a colon, folded lines, bare line feeds, control
//! characters. If both lengths are given it takes `Transfer-Encoding`, drops `Content-Length` and closes the
//! connection afterwards, which RFC 9112 §6.3 allows. This module refuses what hyper accepts.
//!
//! | message | answer | why |
//! |---|---|---|
//! | `Transfer-Encoding` other than `chunked` once | 501 | the next server may know the coding and see another end |
//! | no `Host` in HTTP/1.1, two of them, or a malformed one | 400 | RFC 9112 §3.2; two servers may pick two |
//! | `:authority` or an absolute target that `Host` contradicts | 400 | the same |
//! | an absolute target of another scheme than `http` and `https` | 400 | it is no request to this server (RFC 9110 §7.4) |
//! | `CONNECT`, `TRACE` | 405 | no tunnel, no echo of credentials |
//! | an `OPTIONS` with a malformed `Max-Forwards` | 400 | RFC 9110 §7.6.2; what cannot be counted down goes on for ever |
//! | a method of more than 32 bytes | 501 | no method is (RFC 9112 §3), and logs and services read it |
//! | more than 10 of these gateways in `Via` | 508 | it goes round, and each round costs a connection (RFC 9110 §7.6.3) |
//! | an expectation other than `100-continue` | 417 | it would be broken silently (RFC 9110 §10.1.1) |

use std::net::Ipv6Addr;

use http::{
    HeaderMap, HeaderValue, Method, Request, Version,
    header::{EXPECT, HOST, TRANSFER_ENCODING},
};
use msf_core::problem::{Code, Problem};

use super::via;

/// A message that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// An expectation that nobody knows.
    #[error("the expectation is not known")]
    Expectation,
    /// No host, two hosts, or a malformed one.
    #[error("exactly one valid host is required")]
    Host,
    /// It has passed gateways like this one too often.
    #[error("the request goes round in a loop")]
    Loop,
    /// A `Max-Forwards` that is no number.
    #[error("Max-Forwards is not a number")]
    MaxForwards,
    /// A method that is never forwarded.
    #[error("the method is not allowed")]
    Method,
    /// A method that is longer than any is.
    #[error("the method is not known")]
    MethodTooLong,
    /// A target of another scheme than `http` and `https`.
    #[error("the scheme of the target is not served")]
    Scheme,
    /// A transfer coding other than `chunked`.
    #[error("the transfer coding is not supported")]
    TransferCoding,
}

impl From<InvalidMessage> for Problem {
    fn from(error: InvalidMessage) -> Self {
        let code = match error {
            InvalidMessage::Expectation => Code::ExpectationFailed,
            InvalidMessage::Host | InvalidMessage::MaxForwards | InvalidMessage::Scheme => {
                Code::BadRequest
            }
            InvalidMessage::Loop => Code::LoopDetected,
            InvalidMessage::Method => Code::MethodNotAllowed,
            InvalidMessage::MethodTooLong | InvalidMessage::TransferCoding => Code::NotImplemented,
        };
        Self::new(code).with_detail(error.to_string())
    }
}

/// Checks a request, and returns what the client calls this server.
///
/// ```
/// use http::Request;
/// use msf_gateway::headers::message::{self, InvalidMessage};
///
/// let request = Request::get("/orders").header("host", "shop.example:8080");
/// assert_eq!(message::check(&request.body(())?)?.unwrap(), "shop.example:8080");
///
/// let twice = Request::get("/orders").header("host", "a").header("host", "b");
/// assert_eq!(message::check(&twice.body(())?), Err(InvalidMessage::Host));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`InvalidMessage`] says what is wrong with it.
pub fn check<B>(request: &Request<B>) -> Result<Option<HeaderValue>, InvalidMessage> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(InvalidMessage::Method);
    }
    if request.method().as_str().len() > METHOD_MAX {
        return Err(InvalidMessage::MethodTooLong);
    }
    if via::is_loop(request.headers()) {
        return Err(InvalidMessage::Loop);
    }
    check_transfer_coding(request.headers())?;
    check_expectation(request.headers())?;
    host(request)
}

fn check_transfer_coding(headers: &HeaderMap) -> Result<(), InvalidMessage> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(InvalidMessage::TransferCoding),
    }
}

fn check_expectation(headers: &HeaderMap) -> Result<(), InvalidMessage> {
    let is_known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(is_known) {
        Ok(())
    } else {
        Err(InvalidMessage::Expectation)
    }
}

fn host<B>(request: &Request<B>) -> Result<Option<HeaderValue>, InvalidMessage> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = hosts.next();
    if hosts.next().is_some() {
        return Err(InvalidMessage::Host);
    }
    let named = match named {
        Some(value) => Some((value, authority(value.as_bytes())?)),
        None => None,
    };
    let target = request.uri().authority();
    match (target, named) {
        (None, None) if request.version() == Version::HTTP_11 => Err(InvalidMessage::Host),
        (None, None) => Ok(None),
        (None, Some((value, _))) => Ok(Some(value.clone())),
        (Some(target), named) => {
            if !matches!(request.uri().scheme_str(), None | Some("http" | "https")) {
                return Err(InvalidMessage::Scheme);
            }
            // RFC 9112 §3.2.2 lets the target win. That is how one server in a chain sees another host than
            // the next; honest clients send the same twice (RFC 9110 §7.2, RFC 9113 §8.3.1).
            if named.is_some_and(|(_, host)| !host.eq_ignore_ascii_case(target.as_str())) {
                return Err(InvalidMessage::Host);
            }
            authority(target.as_str().as_bytes())?;
            HeaderValue::from_str(target.as_str())
                .map(Some)
                .map_err(|_invalid| InvalidMessage::Host)
        }
    }
}

/// `uri-host [":" port]` without user information (RFC 9110 §7.2), of the characters that names have.
fn authority(text: &[u8]) -> Result<&str, InvalidMessage> {
    let text = std::str::from_utf8(text).map_err(|_invalid| InvalidMessage::Host)?;
    let (is_valid, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, rest) = rest.split_once(']').ok_or(InvalidMessage::Host)?;
            (ip.parse::<Ipv6Addr>().is_ok(), rest)
        }
        None => {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!name.is_empty() && name.bytes().all(is_of_name), rest)
        }
    };
    let has_valid_port = match rest.strip_prefix(':') {
        Some("") => true,
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    if is_valid && has_valid_port {
        Ok(text)
    } else {
        Err(InvalidMessage::Host)
    }
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The longest registered one has 17 (`UPDATEREDIRECTREF`).
const METHOD_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(build: http::request::Builder) -> Result<Option<HeaderValue>, InvalidMessage> {
        check(&build.body(()).unwrap())
    }

    #[test]
    fn only_chunked_is_a_transfer_coding() {
        let with = |codings: &[&str]| {
            let request = Request::post("/").header("host", "a");
            checked(codings.iter().fold(request, |request, coding| {
                request.header("transfer-encoding", *coding)
            }))
        };
        assert!(with(&["chunked"]).is_ok());
        assert!(with(&["Chunked"]).is_ok());
        for codings in [
            &["gzip, chunked"][..],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["identity"],
            &["xchunked"],
            &["chunked;q=1"],
            &[""],
        ] {
            assert_eq!(
                with(codings),
                Err(InvalidMessage::TransferCoding),
                "{codings:?}"
            );
        }
    }

    #[test]
    fn one_valid_host_is_required() {
        let with = |host: &str| checked(Request::get("/").header("host", host));
        for host in [
            "a",
            "a:80",
            "a:",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "A.example",
        ] {
            assert_eq!(with(host).unwrap().unwrap(), host);
        }
        for host in [
            "", "a b", "user@a", "a:x", "a:99999", "a/b", "a,b", "[::1", ":80", "a?b", "a\\b",
        ] {
            assert_eq!(with(host), Err(InvalidMessage::Host), "{host:?}");
        }
        assert_eq!(checked(Request::get("/")), Err(InvalidMessage::Host));
        assert_eq!(
            checked(Request::get("/").version(Version::HTTP_10)),
            Ok(None)
        );
    }

    #[test]
    fn a_target_and_a_host_that_differ_are_refused() {
        let with = |target: &str, host: &str| checked(Request::get(target).header("host", host));
        assert_eq!(with("http://a:80/", "a:80").unwrap().unwrap(), "a:80");
        assert_eq!(with("http://a/", "A").unwrap().unwrap(), "a");
        assert_eq!(with("http://a/", "b"), Err(InvalidMessage::Host));
        assert_eq!(with("http://user@a/", "a"), Err(InvalidMessage::Host));
        assert_eq!(checked(Request::get("http://a/")).unwrap().unwrap(), "a");
        assert_eq!(with("ftp://a/", "a"), Err(InvalidMessage::Scheme));
        assert_eq!(with("HTTPS://a/", "a").unwrap().unwrap(), "a");
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        for method in [Method::CONNECT, Method::TRACE] {
            let request = Request::builder()
                .method(method)
                .uri("/")
                .header("host", "a");
            assert_eq!(checked(request), Err(InvalidMessage::Method));
        }
    }

    #[test]
    fn a_method_of_any_length_is_none() {
        let with = |method: &str| checked(Request::builder().method(method).uri("http://a/"));
        assert!(with("UPDATEREDIRECTREF").is_ok());
        assert_eq!(with(&"A".repeat(33)), Err(InvalidMessage::MethodTooLong));
    }

    #[test]
    fn only_the_known_expectation_is_taken() {
        let with = |expect: &str| {
            checked(
                Request::post("/")
                    .header("host", "a")
                    .header("expect", expect),
            )
        };
        assert!(with("100-Continue").is_ok());
        assert_eq!(with("200-ok"), Err(InvalidMessage::Expectation));
        assert_eq!(with("100-continue, x"), Err(InvalidMessage::Expectation));
    }
}
