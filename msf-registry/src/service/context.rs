//! What a caller knows about one call before it picks.

use msf_core::name::InstanceId;

use crate::balance::hash;

/// What one call tells about itself when it [picks](crate::ServiceHandle::pick) an instance.
///
/// Nothing in it is needed. It borrows and is copied for nothing, so it is made anew for each attempt.
///
/// ```
/// use msf_registry::PickContext;
///
/// let context = PickContext::new().key(b"user-17");
/// # let _ = context;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PickContext<'a> {
    pub(super) hash: Option<u64>,
    pub(super) tried: &'a [InstanceId],
}

impl<'a> PickContext<'a> {
    /// A call that tells nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hash: None,
            tried: &[],
        }
    }

    /// The hash of what calls are kept together by: a user, a session, a cache key. Equal hashes go to the same
    /// instance under a hashing [`Balance`](crate::Balance); the others do not look at it.
    #[must_use]
    pub const fn hash(mut self, hash: u64) -> Self {
        self.hash = Some(hash);
        self
    }

    /// What calls are kept together by, as bytes: [`hash`](Self::hash) of their
    /// [xxHash64](crate::balance::hash::of).
    #[must_use]
    pub fn key(self, key: &[u8]) -> Self {
        self.hash(hash::of(key))
    }

    /// The instances that earlier attempts of the call went to. Another one is picked if there is one.
    #[must_use]
    pub const fn tried(mut self, tried: &'a [InstanceId]) -> Self {
        self.tried = tried;
        self
    }
}
