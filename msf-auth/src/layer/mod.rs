//! Authentication and a policy around any tower service.
//!
//! [`AuthLayer`] takes the bearer token of a request, verifies it, decides by a [`Policy`](crate::Policy) and
//! leaves an [`Identity`](crate::Identity) in the request's extensions. Its service fails with a typed [`Error`];
//! [`AuthLayer::answering`] gives the face that answers with a problem and keeps the error of the inner
//! service, for `axum::Router::layer` and the like. For axum routes prefer
//! [`SecureRouter`](crate::axum::SecureRouter), which cannot forget a route.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use msf_auth::{AuthLayer, Identity, SigningKey, TokenIssuer, TrustedIssuer, Verifier, policy};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! # let issuer = TokenIssuer::new("https://user.shop", SigningKey::generate_ed25519()?);
//! # let trusted = TrustedIssuer::new("https://user.shop", issuer.jwks()).audience("shop");
//! # let verifier = Verifier::builder().issuer(trusted).build()?;
//! let whoami = service_fn(|request: Request<()>| async move {
//!     let subject = Identity::of(request.extensions()).map(|caller| caller.subject().to_owned());
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(subject.unwrap_or_default())))
//! });
//! let service = AuthLayer::new(verifier, policy::authenticated())?.answering().layer(whoami);
//!
//! let response = service.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//!
//! let token = issuer.token("7").audience("shop").sign()?;
//! let request = Request::builder().header("authorization", format!("Bearer {token}")).body(())?;
//! assert_eq!(service.oneshot(request).await?.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! # What says who calls
//!
//! Mostly a [`Verifier`](crate::Verifier). Whatever else can [`Authenticate`] does as well: for opaque tokens an
//! [`Introspector`](crate::introspect::Introspector), for programs [`ApiKeys`](crate::api_key::ApiKeys), alone or
//! [beside tokens](AuthLayerBuilder::api_keys).
//!
//! # Public policies
//!
//! Where a policy lets everybody pass, a valid token still gives an identity, and a bad one is as good as none:
//! a client with an expired token has to be able to log in.
//!
//! # Cancel safety
//!
//! Dropping the future drops whichever of verification, external decision and inner call is under way.
//!
//! # Ordering
//!
//! Inside the trace and metrics layers, so that refusals are seen; outside of limits that are keyed by the caller.

mod answering;
mod authenticate;
mod authenticator;
mod builder;
mod error;
mod future;
mod gate;
mod metrics;
mod service;

#[cfg(feature = "axum")]
pub(crate) use self::builder::Surroundings;
pub(crate) use self::metrics::DECISIONS;
pub use self::{
    answering::{AnsweringAuth, AnsweringAuthLayer, AnsweringFuture},
    authenticator::{Authenticate, Authenticator},
    builder::AuthLayerBuilder,
    error::{Error, InvalidAuthLayer},
    future::AuthFuture,
    gate::{AuthLayer, ParamSource},
    service::Auth,
};
