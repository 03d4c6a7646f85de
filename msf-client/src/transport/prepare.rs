//! What must be true of a request before it is written.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header, uri::PathAndQuery,
};
use http_body::Body as _;
use msf_core::{BoxError, body::Body};

use super::{AllowUpgrade, TransportError, held::Hold, trailers, upgrade::Asked};

/// What a request asks of its callee beyond an answer.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// The protocols to which the callee may switch.
    pub(super) upgrade: Option<Asked>,
    /// The body, if the callee is asked whether it wants that.
    pub(super) hold: Option<Hold>,
}

impl Terms {
    /// What the body failed with.
    pub(super) fn failure(&self) -> Option<BoxError> {
        self.hold.as_ref()?.take_error()
    }
}

/// Puts the request into the form that goes over the wire, or says why it cannot.
///
/// The framing is the transport's alone: what a caller says of the length in headers is replaced by
/// what the body says. A length that does not fit would make the callee take the next request on
/// the connection for a part of this one (RFC 9112 section 11.2).
pub(super) fn prepare(request: &mut Request<Body>) -> Result<Terms, TransportError> {
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
    let mut terms = Terms::default();
    let headers = request.headers_mut();
    if headers.contains_key(header::TE) {
        tidy_te(headers);
        if headers.contains_key(header::TE) {
            // It concerns this connection only, and that has to be said (RFC 9110 section 10.1.4).
            headers.append(header::CONNECTION, HeaderValue::from_static("te"));
        }
    }
    if headers.contains_key(header::UPGRADE) {
        terms.upgrade = upgrade(request);
    }
    if request.headers().contains_key(header::EXPECT) {
        expect(request, &mut terms);
    }
    Ok(terms)
}

/// The protocols that are asked for, if the caller can do with them.
fn upgrade(request: &mut Request<Body>) -> Option<Asked> {
    let allowed = request.extensions().get::<AllowUpgrade>().cloned();
    let headers = request.headers_mut();
    let protocols = headers.remove(header::UPGRADE)?;
    let allowed = allowed?;
    headers.insert(header::UPGRADE, protocols.clone());
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.remove(header::TE);
    Some(Asked { protocols, allowed })
}

/// Keeps the body back until the callee asks for it. Any other expectation is not sent, and neither is
/// this one where there is no body.
fn expect(request: &mut Request<Body>, terms: &mut Terms) {
    let is_known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let mut expectations = request.headers().get_all(header::EXPECT).iter();
    let is_kept = expectations.all(is_known) && !request.body().is_end_stream();
    request.headers_mut().remove(header::EXPECT);
    if !is_kept {
        return;
    }
    let value = HeaderValue::from_static("100-continue");
    request.headers_mut().insert(header::EXPECT, value);
    let hold = Hold::waiting(std::mem::take(request.body_mut()));
    *request.body_mut() = hold.body();
    let asked = hold.share();
    hyper::ext::on_informational(request, move |interim| {
        if interim.status() == http::StatusCode::CONTINUE {
            asked.go_on();
        }
    });
    terms.hold = Some(hold);
}

/// Leaves `TE: trailers` or nothing: no other transfer coding is understood here.
pub(super) fn tidy_te(headers: &mut HeaderMap) {
    if !headers.contains_key(header::TE) {
        return;
    }
    let wants_trailers = trailers::are_wanted(headers);
    headers.remove(header::TE);
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

pub(super) fn check_scheme(uri: &Uri) -> Result<(), TransportError> {
    if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err(TransportError::InvalidRequest {
            reason: "only the scheme http is supported",
        });
    }
    Ok(())
}

/// The host and port of an address, without user and password, which belong to nobody's log.
pub(super) fn authority(uri: &Uri) -> Option<&str> {
    let text = uri.authority()?.as_str();
    Some(text.rsplit('@').next().unwrap_or(text))
}

/// Whether a request of this method has a body in general, so that one without it says so.
pub(super) fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// `http://host/path` becomes `/path` and a `Host` header, if there is none yet.
fn to_origin_form(request: &mut Request<Body>) -> Result<(), TransportError> {
    let uri = request.uri();
    if uri.scheme().is_none() && uri.authority().is_none() {
        return Ok(());
    }
    check_scheme(uri)?;
    let path = uri.path_and_query().cloned();
    let host = authority(uri).map(str::to_owned);
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

fn is_of_framing(name: &HeaderName) -> bool {
    *name == header::TRANSFER_ENCODING || *name == header::CONTENT_LENGTH
}

fn frame(request: &mut Request<Body>) {
    let exact = request.body().size_hint().exact();
    let is_empty = exact == Some(0) || request.body().is_end_stream();
    let expects_body = expects_body(request.method());
    let is_in_memory = request.body().is_in_memory();
    let headers = request.headers_mut();
    // Nothing can follow a body of a given length.
    let exact = exact.filter(|_| is_in_memory || !headers.contains_key(header::TRAILER));
    // One look: a request without a body has neither, and is what most are.
    if headers.keys().any(is_of_framing) {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    if is_empty {
        if expects_body {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    } else if let Some(length) = exact {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else {
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
