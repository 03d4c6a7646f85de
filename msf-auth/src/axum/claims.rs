//! The caller's claims, as a type.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{identity::Identity, refusal::Refusal};

/// The caller's claims, as a type; an extractor.
///
/// A caller whose claims are not of this type is answered with 403: its token is valid, and not meant for this. What
/// does not fit is in the log at `DEBUG`.
///
/// ```
/// use axum::routing::get;
/// use msf_auth::{SecureRouter, axum::Claims, policy::authenticated};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Plan {
///     plan: String,
/// }
///
/// async fn show(Claims(plan): Claims<Plan>) -> String {
///     plan.plan
/// }
///
/// # use msf_auth::{KeySet, TrustedIssuer, Verifier};
/// # let trusted = TrustedIssuer::new("https://user.shop", KeySet::default()).audience("shop");
/// # let verifier = Verifier::builder().issuer(trusted).build()?;
/// let router: axum::Router = SecureRouter::new(verifier)
///     .route("/plan", authenticated(), get(show))
///     .into_router()?;
/// # Ok::<(), msf_core::BoxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Claims<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Claims<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = Identity::of(&parts.extensions).ok_or(Refusal::NoCredentials)?;
        match caller.claims() {
            Ok(claims) => Ok(Self(claims)),
            Err(error) => {
                tracing::debug!(target: "msf_auth::policy", %error, "the claims are not of the type");
                Err(Refusal::Forbidden { scope: None })
            }
        }
    }
}
