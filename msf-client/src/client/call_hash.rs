//! What keeps calls together.

use msf_registry::balance::hash;

/// What a call is kept together with others by, in the extensions of a request: calls of one hash go to one instance,
/// where the service is balanced by [hash](msf_registry::Balance::is_hashing). Other balances do not look at it.
///
/// ```
/// use http::Request;
/// use msf_client::CallHash;
/// use msf_core::body::Body;
///
/// let mut request = Request::get("/carts/7").body(Body::empty())?;
/// request.extensions_mut().insert(CallHash::of(b"user-7"));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallHash(u64);

impl CallHash {
    /// That of a key: a user, a session, the name of what is asked for. It is not keyed: who may choose both keys and
    /// targets can send all calls to one instance.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(hash::of(key))
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }
}
