//! Answers: what the service said, cleaned, or what stands for it.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header};
use msf_client::Error;
use msf_core::problem::{Code, Problem};
use msf_resilience::rate_limit::Limited;

use crate::{
    body::Proxied,
    headers::{hop_by_hop, message::InvalidMessage},
    tunnel,
};

/// The service's answer as the client gets it.
pub(crate) fn cleaned(response: Response<msf_client::ResponseBody>) -> Response<Proxied> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // What follows is not HTTP.
        return tunnel::switched(response);
    }
    let (mut parts, body) = response.into_parts();
    // To the client it is an answer of the gateway: one of HTTP/1.0 would end at the end of the connection,
    // where nobody can tell a whole body from half of one.
    parts.version = Version::HTTP_11;
    hop_by_hop::strip_response(&mut parts.headers);
    // What runs inside is nobody's concern, and every client would pay for the bytes.
    parts.headers.remove(header::SERVER);
    parts.headers.remove(X_POWERED_BY);
    // hyper keeps the service's own words for the status there, and would write them to the client.
    parts.extensions.clear();
    Response::from_parts(parts, Proxied::Service { body })
}

/// The answer when there is none: 502, 503 or 504, or 413, 408 and 400 if the client's body was the cause.
pub(crate) fn failed(error: Error) -> Response<Bytes> {
    let problem = Problem::from(error);
    if !problem.status().is_server_error() {
        return problem.into_response();
    }
    // Its detail names services and instances, which a log may and the world may not know.
    let mut told = Problem::new(problem.code());
    if let Some(wait) = problem.retry_after() {
        told = told.with_retry_after(wait);
    }
    told.with_source(problem).into_response()
}

/// The answer to a message that is refused as it is.
pub(crate) fn invalid(message: InvalidMessage) -> Response<Bytes> {
    let mut response: Response<Bytes> = Problem::from(message).into_response();
    if message == InvalidMessage::Method {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

pub(crate) fn limited(limited: Limited) -> Response<Bytes> {
    let told = limited.clone();
    let mut response: Response<Bytes> = Problem::from(limited).into_response();
    told.write_to(response.headers_mut());
    response
}

pub(crate) fn method_not_allowed(allow: HeaderValue) -> Response<Bytes> {
    let mut response: Response<Bytes> = Problem::new(Code::MethodNotAllowed).into_response();
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

pub(crate) fn too_large(limit: usize) -> Response<Bytes> {
    Problem::new(Code::PayloadTooLarge)
        .with_detail(format!("at most {limit} bytes are accepted"))
        .with_member("limit", limit)
        .into_response()
}

const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
