//! The layer with a typed error.

use tower_layer::Layer;

use super::{
    answering::AnsweringSharedLayer, limiter::SharedRateLimiter, service::SharedRateLimitService,
};

/// What happens to a request on which the store did not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// It passes without a limit: the service stays available when its store is not.
    #[default]
    Allow,
    /// It is refused: for limits that protect something that must not be exceeded.
    Refuse,
}

/// Puts a shared limit before a service.
///
/// `key` says whose request it is; a request without a key is not limited. The inner service is cloned for each
/// call, since it is called only when the store has decided.
///
/// ```
/// use std::convert::Infallible;
/// use msf_resilience::rate_limit::{Quota, shared::{Error, SharedRateLimitLayer, SharedRateLimiter}, store::MemoryStore};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = SharedRateLimiter::builder(MemoryStore::new(100), Quota::per_minute(1)).build()?;
/// let layer = SharedRateLimitLayer::new(limiter, |user: &String| Some(user.clone()));
/// let service = layer.layer(service_fn(|user: String| async move { Ok::<_, Infallible>(user) }));
///
/// assert!(service.clone().oneshot("ada".to_owned()).await.is_ok());
/// assert!(matches!(service.oneshot("ada".to_owned()).await, Err(Error::Limited(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SharedRateLimitLayer<F> {
    limiter: SharedRateLimiter,
    key: F,
    on_failure: OnFailure,
}

impl<F> SharedRateLimitLayer<F> {
    /// A layer with a typed error. `key` is a `Fn(&Request) -> Option<String>`.
    pub const fn new(limiter: SharedRateLimiter, key: F) -> Self {
        Self {
            limiter,
            key,
            on_failure: OnFailure::Allow,
        }
    }

    /// A layer for HTTP that answers a request above the limit with problem+json, and writes the
    /// `RateLimit` fields into every answer.
    pub const fn answering(limiter: SharedRateLimiter, key: F) -> AnsweringSharedLayer<F> {
        AnsweringSharedLayer::new(Self::new(limiter, key))
    }

    /// What happens when the store does not decide. Default [`OnFailure::Allow`].
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }
}

impl<S, F: Clone> Layer<S> for SharedRateLimitLayer<F> {
    type Service = SharedRateLimitService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        let (limiter, key) = (self.limiter.clone(), self.key.clone());
        SharedRateLimitService::new(inner, limiter, key, self.on_failure)
    }
}
