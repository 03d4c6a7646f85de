//! The caller as an argument of a handler.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{
    identity::{Identity, OptionalIdentity},
    refusal::Refusal,
};

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of(&parts.extensions)
            .cloned()
            .ok_or(Refusal::NoCredentials)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.extensions).cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OptionalIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(
            Identity::of(&parts.extensions).map(|identity| identity.0.clone()),
        ))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Self::into_response(self)
    }
}
