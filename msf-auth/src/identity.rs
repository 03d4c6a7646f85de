//! The caller of the request at hand.

use std::{ops::Deref, sync::Arc};

use http::Extensions;

use crate::principal::Principal;

/// The verified caller, as the layers of this crate leave it in the request's extensions.
///
/// With the feature `axum` it is an extractor: a request without a caller is answered with 401. A handler
/// can take it as an argument and read it like the [`Principal`] that it is.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct Identity(pub Arc<Principal>);

/// The verified caller, or nobody; an extractor that never fails, for public routes.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured in handler arguments"
)]
pub struct OptionalIdentity(pub Option<Arc<Principal>>);

impl Identity {
    /// The caller of a request that went through a layer of this crate.
    ///
    /// ```
    /// use msf_auth::Identity;
    ///
    /// let request = http::Request::new(());
    /// assert!(Identity::of(request.extensions()).is_none());
    /// ```
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }
}

impl Deref for Identity {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}
