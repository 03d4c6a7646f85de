//! The routes, and what is the same for all of them.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{self, Body},
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use tokio::time;

use super::{
    OAuthBuilder,
    builder::Shared,
    error::{Fault, json_response},
    form::{Form, FormFault},
};
use crate::issue::TokenIssuer;

/// The endpoints of an authorization server. Cloning shares them.
///
/// See the [module documentation](super).
#[derive(Clone)]
pub struct OAuth(pub(super) Arc<Shared>);

/// Where something is, below the issuer.
#[derive(Clone, Copy)]
pub(super) enum Path {
    Token,
    Revoke,
    Introspect,
    Jwks,
}

/// Tokens have at most 8 KiB, and an exchange sends one.
const BODY_BYTES_MAX: usize = 16 * 1_024;
/// A form of 16 KiB that takes longer comes from somebody who wants to hold a connection.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

impl Path {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "/oauth/token",
            Self::Revoke => "/oauth/revoke",
            Self::Introspect => "/oauth/introspect",
            Self::Jwks => "/.well-known/jwks.json",
        }
    }
}

impl OAuth {
    /// Begins with tokens of this issuer.
    pub fn builder(issuer: TokenIssuer) -> OAuthBuilder {
        OAuthBuilder::new(issuer)
    }

    /// The routes. An issuer with a path, as `https://id.shop/eu`, has them below it.
    ///
    /// They are for the public: no policy guards them, they authenticate clients themselves.
    pub fn router(&self) -> Router {
        let base = &self.0.base;
        let at = |path: Path| format!("{base}{}", path.as_str());
        let mut router = Router::new()
            .route(&at(Path::Token), post(token))
            .route(&at(Path::Revoke), post(revoke))
            .route(&at(Path::Jwks), get(jwks))
            .route(
                &format!("{base}/.well-known/openid-configuration"),
                get(metadata),
            )
            // RFC 8414 section 3.1: before the path of the issuer, not after it.
            .route(
                &format!("/.well-known/oauth-authorization-server{base}"),
                get(metadata),
            );
        if self.0.verifier.is_some() {
            router = router.route(&at(Path::Introspect), post(introspect));
        }
        router.with_state(self.clone())
    }

    fn answer(&self, endpoint: &str, outcome: Result<Option<Value>, Fault>) -> Response {
        let result = outcome.as_ref().map_or_else(|fault| fault.code(), |_| "ok");
        self.0.metrics.answered(endpoint, result);
        match outcome {
            Ok(Some(body)) => json_response(StatusCode::OK, &body.to_string()),
            Ok(None) => json_response(StatusCode::OK, ""),
            Err(fault) => fault.into_response(),
        }
    }
}

async fn token(State(oauth): State<OAuth>, request: Request) -> Response {
    let outcome = match read(request).await {
        Ok((headers, form)) => oauth.grant(&headers, &form).await.map(Some),
        Err(fault) => Err(fault),
    };
    oauth.answer("token", outcome)
}

async fn revoke(State(oauth): State<OAuth>, request: Request) -> Response {
    let outcome = match read(request).await {
        Ok((headers, form)) => oauth.revoke(&headers, &form).await.map(|()| None),
        Err(fault) => Err(fault),
    };
    oauth.answer("revoke", outcome)
}

async fn introspect(State(oauth): State<OAuth>, request: Request) -> Response {
    let outcome = match read(request).await {
        Ok((headers, form)) => oauth.introspect(&headers, &form).await.map(Some),
        Err(fault) => Err(fault),
    };
    oauth.answer("introspect", outcome)
}

async fn jwks(State(oauth): State<OAuth>) -> Response {
    oauth.0.issuer.jwks_response::<Body>()
}

async fn metadata(State(oauth): State<OAuth>) -> Response {
    let mut response = Response::new(Body::from(oauth.0.metadata.clone()));
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let caching = HeaderValue::from_static("public, max-age=300");
    headers.insert(header::CACHE_CONTROL, caching);
    response
}

/// The form of a request. What is in the query is refused: it gets into logs.
async fn read(request: Request) -> Result<(HeaderMap, Form), Fault> {
    let (parts, body) = request.into_parts();
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Fault::Request("parameters belong into the body"));
    }
    if !is_form(&parts.headers) {
        return Err(Fault::Request(
            "the body is not application/x-www-form-urlencoded",
        ));
    }
    let body = body::to_bytes(body, BODY_BYTES_MAX);
    let body = time::timeout(BODY_WAIT_MAX, body)
        .await
        .map_err(|_| Fault::Request("the body did not come in time"))?;
    let body = body.map_err(|_| Fault::TooLarge)?;
    let form = Form::parse(&body).map_err(|FormFault(what)| Fault::Request(what))?;
    Ok((parts.headers, form))
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.as_bytes().split(|b| *b == b';').next();
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("issuer", &self.0.issuer)
            .finish_non_exhaustive()
    }
}
