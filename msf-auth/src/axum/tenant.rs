//! The caller's tenant.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{identity::Identity, refusal::Refusal};

/// The caller's tenant; an extractor. A caller that has none is answered with 403.
///
/// ```
/// use msf_auth::axum::Tenant;
///
/// async fn list(Tenant(tenant): Tenant) -> String {
///     format!("the orders of {tenant}")
/// }
/// # fn is_handler<H: axum::handler::Handler<T, ()>, T>(_: H) {}
/// # is_handler(list);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Tenant(pub Box<str>);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = Identity::of(&parts.extensions).ok_or(Refusal::NoCredentials)?;
        match caller.tenant() {
            Some(tenant) if !tenant.is_empty() => Ok(Self(tenant.into())),
            _ => Err(Refusal::Forbidden { scope: None }),
        }
    }
}
