//! [`Principal`], who was authenticated.

use std::fmt;

use http::{Extensions, HeaderMap};

use super::source::KeySource;

/// What a closure finds in the request's extensions, where the layer that authenticates leaves who it is.
///
/// ```
/// use http::Request;
/// use msf_resilience::rate_limit::key::{self, Principal};
///
/// #[derive(Clone)]
/// struct User(u64);
///
/// let key_of = key::by(Principal::new(|extensions| extensions.get().map(|User(id)| *id)));
/// let mut request = Request::new(());
/// assert_eq!(key_of(&request), None);
/// request.extensions_mut().insert(User(7));
/// assert_eq!(key_of(&request), Some(7));
/// ```
#[derive(Clone, Copy)]
pub struct Principal<F> {
    find: F,
}

impl<F> Principal<F> {
    /// Asks this closure.
    #[must_use]
    pub const fn new<K>(find: F) -> Self
    where
        F: Fn(&Extensions) -> Option<K>,
    {
        Self { find }
    }
}

impl<F, K> KeySource for Principal<F>
where
    F: Fn(&Extensions) -> Option<K>,
{
    type Key = K;

    fn key(&self, _: &HeaderMap, extensions: &Extensions) -> Option<K> {
        (self.find)(extensions)
    }
}

impl<F> fmt::Debug for Principal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").finish_non_exhaustive()
    }
}
