//! What a caller knows about one call before it picks.

use msf_core::name::InstanceId;

use crate::balance::hash;

/// What one call tells about itself when it [picks](crate::ServiceHandle::pick) an instance.
///
/// Nothing in it is needed. It borrows and costs nothing to make, so it is made anew for each attempt.
///
/// ```
/// use msf_core::name::ServiceName;
/// use msf_registry::{PickContext, Registry, backend::fixed::StaticRegistry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let payment = ServiceName::new("payment")?;
/// let backend = StaticRegistry::new()
///     .addrs(&payment, ["10.0.0.1:80".parse()?, "10.0.0.2:80".parse()?])?;
/// let instances = Registry::new(backend).service(&payment);
/// instances.ready(std::time::Duration::from_secs(1)).await?;
///
/// let first = instances.pick(&PickContext::new())?;
/// let tried = [first.instance().id.clone()];
/// let second = instances.pick(&PickContext::new().tried(&tried))?;
/// assert_ne!(first.addr(), second.addr());
/// # Ok(())
/// # }
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
