//! The gateway's own answers to gRPC clients.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::ProxyError;

/// Whether the client speaks gRPC, by the media type that it sent: `application/grpc`, with `+proto` or the
/// like, and not `application/grpc-web`, which is another protocol.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let value = value.as_bytes();
    let Some((start, rest)) = value.split_at_checked(GRPC.len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// The answer in the words of gRPC: all in the header, and no body.
///
/// The headers that other clients get for the same failure are kept, such as `Retry-After`, and so are the
/// extensions, in which the layers around find what failed.
pub(crate) fn trailers_only(failure: ProxyError, refused: Response<Bytes>) -> Response<Bytes> {
    let (mut parts, _problem) = refused.into_parts();
    parts.status = StatusCode::OK;
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, APPLICATION_GRPC);
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from(u16::from(failure.grpc_status())),
    );
    headers.insert(GRPC_MESSAGE, message(failure.code().title()));
    Response::from_parts(parts, Bytes::new())
}

/// A text as the protocol writes it: printable ASCII but `%`, the rest as `%XX`.
fn message(text: &str) -> HeaderValue {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => escaped.push(char::from(byte)),
            // Writing to a String does not fail.
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    HeaderValue::try_from(escaped).unwrap_or_else(|_| HeaderValue::from_static(""))
}

const GRPC: &[u8] = b"application/grpc";
const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_media_type() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(is_grpc(&headers), expected, "{value}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_message_is_printable() {
        assert_eq!(message("No healthy instance"), "No healthy instance");
        assert_eq!(message("100 % \u{e9}\n"), "100 %25 %C3%A9%0A");
    }

    #[test]
    fn an_answer_keeps_what_a_client_can_use() {
        let mut refused = Response::new(Bytes::from_static(b"{}"));
        *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        refused
            .headers_mut()
            .insert("retry-after", HeaderValue::from(7));
        refused
            .headers_mut()
            .insert("content-length", HeaderValue::from(2));
        let answer = trailers_only(ProxyError::BreakerOpen, refused);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "14");
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        assert!(!answer.headers().contains_key("content-length"));
        assert!(answer.body().is_empty());
    }
}
