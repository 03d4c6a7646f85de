//! Answers: what the service said, cleaned, or what stands for it.

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use msf_auth::internal::InternalTokenError;
use msf_client::Error;
use msf_core::{
    BoxError,
    problem::{Code, Problem},
};
use msf_resilience::rate_limit::{Limited, Refused, shared::SharedError};

use crate::{
    access_log,
    body::Proxied,
    failure::ProxyError,
    headers::{hop_by_hop, message::InvalidMessage},
    tunnel,
};

/// The service's answer as the client gets it.
pub(crate) fn cleaned(response: Response<msf_client::ResponseBody>) -> Response<Proxied> {
    cleaned_as(response.map(|body| Proxied::Service { body }))
}

/// As [`cleaned`], for what layers made of the service's answer.
pub(crate) fn cleaned_as(response: Response<Proxied>) -> Response<Proxied> {
    let peer = match response.body() {
        Proxied::Service { body } => Some(body.peer()),
        Proxied::Own { .. } | Proxied::Boxed { .. } => None,
    };
    access_log::note(|record| record.answer(peer));
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
    Response::from_parts(parts, body)
}

/// The answer when there is none: 502, 503 or 504, or 413, 408 and 400 if the client's body was the cause.
pub(crate) fn failed(error: Error) -> Response<Bytes> {
    let problem = error.to_problem();
    let failure = ProxyError::of_call(&error, problem.code());
    let problem = problem.with_source(error);
    told(problem, failure)
}

/// As [`failed`], for an error that may be that of a layer.
pub(crate) fn failed_as(error: BoxError) -> Response<Bytes> {
    match error.downcast::<Error>() {
        Ok(error) => failed(*error),
        Err(error) => told_alone(Problem::from_error(error)),
    }
}

/// The answer to a failure that its code says all about.
fn told_alone(problem: Problem) -> Response<Bytes> {
    let failure = ProxyError::of(problem.code());
    told(problem, failure)
}

fn told(problem: Problem, failure: ProxyError) -> Response<Bytes> {
    if !problem.status().is_server_error() {
        return marked(problem, failure);
    }
    // Its detail names services and instances, which a log may and the world may not know.
    let mut told = Problem::new(problem.code());
    if let Some(wait) = problem.retry_after() {
        told = told.with_retry_after(wait);
    }
    marked(told.with_source(problem), failure)
}

/// The answer with what failed beside it, where the code does not say it all.
pub(crate) fn marked(problem: Problem, failure: ProxyError) -> Response<Bytes> {
    let mut response: Response<Bytes> = problem.into_response();
    response.extensions_mut().insert(failure);
    response
}

/// What failed, if the answer is the gateway's own and says so.
pub(crate) fn failure(extensions: &Extensions) -> Option<ProxyError> {
    extensions
        .get::<ProxyError>()
        .copied()
        .or_else(|| extensions.get::<Code>().copied().map(ProxyError::of))
}

/// The answer to a message that is refused as it is.
pub(crate) fn invalid(message: InvalidMessage) -> Response<Bytes> {
    let mut response: Response<Bytes> = Problem::from(message).into_response();
    match message {
        InvalidMessage::Method => drop(response.headers_mut().insert(header::ALLOW, ALLOWED)),
        // Where one server sees the end of such a message, another one before or behind it sees something else.
        InvalidMessage::TransferCoding => {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        _ => {}
    }
    response
}

/// The answer to an `OPTIONS` that goes no further because its client wants so.
pub(crate) fn last_hop() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(header::ALLOW, ALLOWED);
    response
}

pub(crate) fn not_found() -> Response<Bytes> {
    Problem::new(Code::NotFound).into_response()
}

/// The answer to a client that may not come from there; it does not say why.
pub(crate) fn forbidden() -> Response<Bytes> {
    marked(Problem::new(Code::Forbidden), ProxyError::AddressDenied)
}

/// The answer to a preflight that asks for what pages of its origin may not do.
pub(crate) fn forbidden_origin() -> Response<Bytes> {
    Problem::new(Code::Forbidden)
        .with_detail("pages of this origin may not send this request")
        .into_response()
}

/// The answer when no token for the service can be minted. A caller whose own has just ended gets another one.
pub(crate) fn no_identity(error: InternalTokenError) -> Response<Bytes> {
    match error {
        InternalTokenError::Expired => Problem::new(Code::InvalidToken).into_response(),
        error => told_alone(Problem::new(Code::Internal).with_source(error)),
    }
}

/// The answer when a limit that is kept elsewhere refused, or nobody decided.
pub(crate) fn not_counted(error: SharedError) -> Response<Bytes> {
    match error {
        SharedError::Refused(Refused::Limited(refused)) => limited(refused),
        // What the store said is for the log.
        error => told_alone(error.into()),
    }
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

/// The methods of HTTP that are forwarded.
const ALLOWED: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
pub(crate) const X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
