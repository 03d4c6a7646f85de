//! What a client is told when it gets no token (RFC 6749 section 5.2), and what cannot be built.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use msf_core::{BoxError, metrics::MetricsError};
use serde_json::json;
use thiserror::Error;

/// An authorization server that would not work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidOAuth {
    /// RFC 8414 section 2: `https`, without query, fragment or a slash at the end. `http` is taken for this host only.
    #[error("the issuer `{0}` is not an https URL without query, fragment and final slash")]
    Issuer(Box<str>),
    /// Nobody could ask for a token.
    #[error("there is no store of clients")]
    NoClients,
    /// Exchanged tokens have this claim from the issuer.
    #[error("the claim `{0}` cannot be carried: the issuer sets it itself")]
    Carried(Box<str>),
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A store did not answer. The caller of an endpoint is told 503, and nothing more.
#[derive(Debug, Error)]
#[error("the store did not answer")]
pub struct LookupError {
    #[source]
    source: BoxError,
}

impl LookupError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

/// Why a request gets no token. The words never come from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Request(&'static str),
    TooLarge,
    /// Unknown, wrong secret, no secret: all the same.
    Client,
    Grant,
    UnauthorizedClient,
    GrantType,
    Scope,
    Target,
    TokenType,
    Unavailable,
    Internal,
}

impl Fault {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Request(_) | Self::TooLarge => "invalid_request",
            Self::Client => "invalid_client",
            Self::Grant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::GrantType => "unsupported_grant_type",
            Self::Scope => "invalid_scope",
            // RFC 8693 section 2.2.2 and RFC 8707 section 2.
            Self::Target => "invalid_target",
            // RFC 7009 section 2.2.1.
            Self::TokenType => "unsupported_token_type",
            Self::Unavailable => "temporarily_unavailable",
            Self::Internal => "server_error",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Request(what) => what,
            Self::TooLarge => "the body is above 16 KiB",
            Self::Client => "the client could not be authenticated",
            Self::Grant => "the token is not valid",
            Self::UnauthorizedClient => "the client may not use this grant",
            Self::GrantType => "the grant is not offered",
            Self::Scope => "a scope is not allowed",
            Self::Target => "the audience is missing or not allowed",
            Self::TokenType => "tokens of this type cannot be revoked",
            Self::Unavailable => "try again later",
            Self::Internal => "the request failed",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Client => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code(), "error_description": self.description() });
        let mut response = json_response(self.status(), &body.to_string());
        let headers = response.headers_mut();
        if self == Self::Client {
            let challenge = HeaderValue::from_static(r#"Basic realm="oauth", charset="UTF-8""#);
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self == Self::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer that nobody keeps: it may have a token.
pub(super) fn json_response(status: StatusCode, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
