//! A caller that has scopes.

use std::{fmt, marker::PhantomData, ops::Deref};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::{identity::Identity, principal::Principal, refusal::Refusal};

/// Scopes as a type, for [`Scopes`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no scopes",
    note = "implement `msf_auth::axum::ScopeSet` for it"
)]
pub trait ScopeSet {
    /// All of them are needed; with none, nobody passes.
    const SCOPES: &'static [&'static str];
}

/// The caller, who has all scopes of `T`; an extractor that reads like the [`Principal`] that it is.
///
/// ```
/// use msf_auth::axum::{ScopeSet, Scopes};
///
/// struct WriteOrders;
///
/// impl ScopeSet for WriteOrders {
///     const SCOPES: &'static [&'static str] = &["orders:read", "orders:write"];
/// }
///
/// async fn create(caller: Scopes<WriteOrders>) -> String {
///     format!("ordered by {}", caller.subject())
/// }
/// # fn is_handler<H: axum::handler::Handler<T, ()>, T>(_: H) {}
/// # is_handler(create);
/// ```
pub struct Scopes<T> {
    caller: Identity,
    scopes: PhantomData<fn() -> T>,
}

impl<S: Send + Sync, T: ScopeSet> FromRequestParts<S> for Scopes<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = Identity::of(&parts.extensions).ok_or(Refusal::NoCredentials)?;
        if T::SCOPES.is_empty() {
            return Err(Refusal::Forbidden { scope: None });
        }
        match T::SCOPES.iter().find(|scope| !caller.has_scope(scope)) {
            Some(missing) => Err(Refusal::Forbidden {
                scope: Some((*missing).into()),
            }),
            None => Ok(Self {
                caller: caller.clone(),
                scopes: PhantomData,
            }),
        }
    }
}

impl<T> Scopes<T> {
    /// The caller.
    #[must_use]
    pub fn into_identity(self) -> Identity {
        self.caller
    }
}

impl<T> Deref for Scopes<T> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.caller
    }
}

impl<T> Clone for Scopes<T> {
    fn clone(&self) -> Self {
        Self {
            caller: self.caller.clone(),
            scopes: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Scopes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scopes").field(&self.caller).finish()
    }
}
