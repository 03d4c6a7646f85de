//! The layer with a typed error.

use tower_layer::Layer;

use super::{answering::AnsweringRateLimitLayer, limiter::RateLimiter, service::RateLimitService};

/// Puts a limit before a service; a request above it gives [`Error::Limited`](super::Error::Limited).
///
/// `key` says whose request it is; a request without a key is not limited. Every service it makes shares the one
/// limiter.
///
/// ```
/// use std::convert::Infallible;
/// use msf_resilience::rate_limit::{Error, Quota, RateLimitLayer, RateLimiter};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder(Quota::per_minute(1)).build()?;
/// let layer = RateLimitLayer::new(limiter, |user: &u64| Some(*user));
/// let service = layer.layer(service_fn(|user: u64| async move { Ok::<_, Infallible>(user) }));
///
/// assert!(service.clone().oneshot(7).await.is_ok());
/// assert!(matches!(service.clone().oneshot(7).await, Err(Error::Limited(_))));
/// assert!(service.oneshot(8).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer<K, F> {
    limiter: RateLimiter<K>,
    key: F,
}

impl<K, F> RateLimitLayer<K, F> {
    /// A layer with a typed error. `key` is a `Fn(&Request) -> Option<K>`.
    pub const fn new(limiter: RateLimiter<K>, key: F) -> Self {
        Self { limiter, key }
    }

    /// A layer for HTTP that answers a request above the limit with problem+json, and writes the
    /// `RateLimit` fields into every answer.
    pub const fn answering(limiter: RateLimiter<K>, key: F) -> AnsweringRateLimitLayer<K, F> {
        AnsweringRateLimitLayer::new(limiter, key)
    }
}

impl<S, K, F: Clone> Layer<S> for RateLimitLayer<K, F> {
    type Service = RateLimitService<S, K, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService::new(inner, self.limiter.clone(), self.key.clone())
    }
}
