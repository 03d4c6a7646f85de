//! The head of a request as HTTP/2 has it.

use http::{HeaderValue, Method, Request, Uri, Version, header, request::Parts, uri};
use http_body::Body as _;
use msf_core::body::Body;

use super::super::{AllowUpgrade, TransportError, prepare};

/// A head for the wire; the request's own stays as it is, for another connection or protocol.
///
/// The framing is the transport's alone, as for HTTP/1.1; what a connection of HTTP/1.1 says about
/// itself has no place here (RFC 9113 section 8.2.2).
pub(super) fn prepared(parts: &Parts, body: &Body) -> Result<Request<()>, TransportError> {
    let invalid = |reason| TransportError::InvalidRequest { reason };
    if parts.method == Method::CONNECT {
        return Err(invalid("tunnels are not supported"));
    }
    if parts.extensions.get::<AllowUpgrade>().is_some()
        && parts.headers.contains_key(header::UPGRADE)
    {
        return Err(invalid("only HTTP/1.1 can switch protocols"));
    }
    prepare::check_scheme(&parts.uri)?;
    let host = parts.headers.get(header::HOST);
    let authority = match host {
        Some(host) => uri::Authority::try_from(host.as_bytes())
            .map_err(|_invalid| invalid("its host is not valid"))?,
        None => prepare::authority(&parts.uri)
            .and_then(|text| uri::Authority::try_from(text).ok())
            .ok_or_else(|| invalid("it names no host"))?,
    };
    let mut target = uri::Parts::default();
    target.scheme = Some(uri::Scheme::HTTP);
    target.authority = Some(authority);
    let path = parts.uri.path_and_query().cloned();
    target.path_and_query = Some(path.unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
    let target = Uri::from_parts(target).map_err(|_invalid| invalid("its target is not valid"))?;

    let mut request = Request::new(());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_2;
    let mut headers = parts.headers.clone();
    for name in [
        header::HOST,
        header::CONNECTION,
        header::UPGRADE,
        header::TRANSFER_ENCODING,
        // hyper tells nobody about a `100 Continue` of HTTP/2, so there is nothing to wait for.
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    prepare::tidy_te(&mut headers);
    match body.size_hint().exact() {
        Some(0) if !prepare::expects_body(&parts.method) => {
            headers.remove(header::CONTENT_LENGTH);
        }
        Some(length) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(header::CONTENT_LENGTH);
        }
    }
    *request.headers_mut() = headers;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared_of(request: http::request::Builder, body: &Body) -> Result<Request<()>, String> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        prepared(&parts, body).map_err(|error| error.to_string())
    }

    #[test]
    fn the_host_becomes_the_authority() {
        for request in [
            Request::get("/a?b").header("host", "callee:81"),
            Request::get("http://me:secret@callee:81/a?b"),
        ] {
            let wire = prepared_of(request, &Body::empty()).unwrap();
            assert_eq!(wire.uri(), "http://callee:81/a?b");
            assert_eq!(wire.version(), Version::HTTP_2);
            assert!(wire.headers().is_empty(), "{:?}", wire.headers());
        }
    }

    #[test]
    fn what_belongs_to_a_connection_of_another_protocol_stays_behind() {
        let request = Request::post("/")
            .header("host", "callee")
            .header("connection", "te, upgrade")
            .header("te", "gzip, trailers")
            .header("upgrade", "websocket")
            .header("transfer-encoding", "chunked")
            .header("expect", "100-continue")
            .header("keep-alive", "timeout=5")
            .header("content-length", "5");
        let wire = prepared_of(request, &Body::from("seven b")).unwrap();
        assert_eq!(wire.headers().len(), 2);
        assert_eq!(wire.headers()["te"], "trailers");
        assert_eq!(wire.headers()["content-length"], "7");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let refused = |request| prepared_of(request, &Body::empty()).unwrap_err();
        assert!(refused(Request::get("/")).contains("host"));
        assert!(refused(Request::get("https://callee/")).contains("scheme"));
        assert!(refused(Request::get("/").header("host", "a b")).contains("host"));
        let connect = Request::builder().method("CONNECT").uri("callee:80");
        assert!(refused(connect).contains("tunnels"));
        let upgrade = Request::get("/")
            .header("host", "callee")
            .header("upgrade", "websocket")
            .extension(AllowUpgrade::new());
        assert!(refused(upgrade).contains("switch"));
    }
}
