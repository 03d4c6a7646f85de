//! What must be true of a request before it is written.

use http::{HeaderValue, Method, Request, Uri, Version, header, uri::PathAndQuery};
use http_body::Body as _;
use msf_core::body::Body;

use super::TransportError;

/// Puts the request into the form that goes over the wire, or says why it cannot.
///
/// The framing is the transport's alone: what a caller says of the length in headers is replaced by
/// what the body says. A length that does not fit would make the callee take the next request on
/// the connection for a part of this one (RFC 9112 section 11.2).
pub(super) fn prepare(request: &mut Request<Body>) -> Result<(), TransportError> {
    if *request.method() == Method::CONNECT {
        return Err(TransportError::InvalidRequest {
            reason: "tunnels are not supported",
        });
    }
    // hyper sends no body of unknown length in any other version.
    *request.version_mut() = Version::HTTP_11;
    to_origin_form(request)?;
    if !request.headers().contains_key(header::HOST) {
        return Err(TransportError::InvalidRequest {
            reason: "it names no host",
        });
    }
    frame(request);
    let headers = request.headers_mut();
    // An answer to it could not be used.
    headers.remove(header::UPGRADE);
    // The body is sent at once, so nothing is gained by waiting.
    headers.remove(header::EXPECT);
    Ok(())
}

/// `http://host/path` becomes `/path` and a `Host` header, if there is none yet.
fn to_origin_form(request: &mut Request<Body>) -> Result<(), TransportError> {
    let uri = request.uri();
    if uri.scheme().is_none() && uri.authority().is_none() {
        return Ok(());
    }
    if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err(TransportError::InvalidRequest {
            reason: "only the scheme http is supported",
        });
    }
    let path = uri.path_and_query().cloned();
    let host = uri.authority().map(|authority| {
        // Without user and password, which belong to nobody's log.
        let text = authority.as_str();
        text.rsplit('@').next().unwrap_or(text).to_owned()
    });
    if let Some(host) = host
        && !request.headers().contains_key(header::HOST)
    {
        let host = HeaderValue::try_from(host).map_err(|_| TransportError::InvalidRequest {
            reason: "its host is not a valid header value",
        })?;
        request.headers_mut().insert(header::HOST, host);
    }
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

fn frame(request: &mut Request<Body>) {
    let exact = request.body().size_hint().exact();
    let is_empty = exact == Some(0) || request.body().is_end_stream();
    let expects_body = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    let headers = request.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    if is_empty {
        headers.remove(header::CONTENT_LENGTH);
        if expects_body {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    } else if let Some(length) = exact {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else {
        headers.remove(header::CONTENT_LENGTH);
        // hyper leaves out the body of a GET whose length is unknown unless it is told.
        let chunked = HeaderValue::from_static("chunked");
        headers.insert(header::TRANSFER_ENCODING, chunked);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http::request::Builder;
    use http_body::Frame;

    use super::*;

    /// A body that does not know its length.
    struct Endless;

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    fn prepared(request: Builder, body: Body) -> Request<Body> {
        let mut request = request.header("host", "callee").body(body).unwrap();
        prepare(&mut request).unwrap();
        request
    }

    fn refused(request: Builder) -> String {
        let mut request = request.body(Body::empty()).unwrap();
        let error = prepare(&mut request).unwrap_err();
        assert!(error.is_unsent());
        error.to_string()
    }

    #[test]
    fn a_length_that_the_caller_made_up_is_replaced() {
        let lying = Request::post("/").header("content-length", "5");
        assert_eq!(
            prepared(lying, Body::empty()).headers()["content-length"],
            "0"
        );
        let lying = Request::post("/")
            .header("content-length", "5")
            .header("transfer-encoding", "gzip");
        let honest = prepared(lying, Body::from("seven b"));
        assert_eq!(honest.headers()["content-length"], "7");
        assert!(!honest.headers().contains_key("transfer-encoding"));
        let lying = Request::get("/").header("content-length", "5");
        assert!(
            !prepared(lying, Body::empty())
                .headers()
                .contains_key("content-length")
        );
    }

    #[test]
    fn a_body_without_a_length_is_chunked_whatever_the_method() {
        for method in ["GET", "POST", "DELETE"] {
            let request = Request::builder()
                .method(method)
                .version(Version::HTTP_2)
                .header("content-length", "5");
            let request = prepared(request, Body::new(Endless));
            assert_eq!(request.version(), Version::HTTP_11);
            assert_eq!(
                request.headers()["transfer-encoding"],
                "chunked",
                "{method}"
            );
            assert!(!request.headers().contains_key("content-length"));
        }
    }

    #[test]
    fn an_absolute_address_becomes_a_path_and_a_host() {
        let mut request = Request::get("http://me:secret@callee:81/a?b")
            .body(Body::empty())
            .unwrap();
        prepare(&mut request).unwrap();
        assert_eq!(request.uri(), "/a?b");
        assert_eq!(request.headers()["host"], "callee:81");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let connect = Request::builder().method("CONNECT").uri("callee:80");
        assert!(refused(connect).contains("tunnels"));
        assert!(refused(Request::get("https://callee/")).contains("scheme"));
        assert!(refused(Request::get("/")).contains("host"));
    }
}
