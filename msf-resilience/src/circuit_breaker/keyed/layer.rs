//! The keyed layer with a typed error.

use std::fmt;

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{breaker::KeyedCircuitBreaker, service::KeyedCircuitBreakerService};
use crate::answering::Answering;

/// Puts the circuits of a [`KeyedCircuitBreaker`] before a service; a refused call gives
/// [`Error::Open`](crate::circuit_breaker::Error::Open).
///
/// The key is taken from each request; a request without one is not watched. Which key a request has is not known
/// before it is there, so `poll_ready` is that of the service inside.
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use msf_resilience::circuit_breaker::{Error, KeyedCircuitBreaker, KeyedCircuitBreakerLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hosts = KeyedCircuitBreaker::builder("hosts").each(|circuit| circuit.min_calls(1)).build()?;
/// let layer = KeyedCircuitBreakerLayer::new(hosts, |request: &Request<()>| {
///     request.uri().host().map(str::to_owned)
/// });
/// let service = layer.layer(service_fn(|_: Request<()>| async {
///     let mut response = Response::new(());
///     *response.status_mut() = StatusCode::BAD_GATEWAY;
///     Ok::<_, std::convert::Infallible>(response)
/// }));
///
/// let to = |uri| Request::get(uri).body(());
/// assert!(service.clone().oneshot(to("http://a/")?).await.is_ok());
/// assert!(matches!(service.clone().oneshot(to("http://a/")?).await, Err(Error::Open(_))));
/// assert!(service.oneshot(to("http://b/")?).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct KeyedCircuitBreakerLayer<K, F, C = Http> {
    breaker: KeyedCircuitBreaker<K>,
    key: F,
    classify: C,
}

impl<K, F> KeyedCircuitBreakerLayer<K, F> {
    /// A layer with a typed error that judges HTTP responses.
    pub fn new(breaker: KeyedCircuitBreaker<K>, key: F) -> Self {
        Self {
            breaker,
            key,
            classify: Http::default(),
        }
    }

    /// A layer that answers a refused call with problem+json instead of an error.
    pub fn answering(breaker: KeyedCircuitBreaker<K>, key: F) -> Answering<Self> {
        Answering::new(Self::new(breaker, key))
    }
}

impl<K, F, C> Answering<KeyedCircuitBreakerLayer<K, F, C>> {
    /// See [`KeyedCircuitBreakerLayer::classify`].
    pub fn classify<D>(self, classify: D) -> Answering<KeyedCircuitBreakerLayer<K, F, D>> {
        self.map(|layer| layer.classify(classify))
    }
}

impl<K, F, C> KeyedCircuitBreakerLayer<K, F, C> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<D>(self, classify: D) -> KeyedCircuitBreakerLayer<K, F, D> {
        KeyedCircuitBreakerLayer {
            breaker: self.breaker,
            key: self.key,
            classify,
        }
    }
}

impl<S, K, F: Clone, C: Clone> Layer<S> for KeyedCircuitBreakerLayer<K, F, C> {
    type Service = KeyedCircuitBreakerService<S, K, F, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let (key, classify) = (self.key.clone(), self.classify.clone());
        KeyedCircuitBreakerService::new(inner, self.breaker.clone(), key, classify)
    }
}

impl<K, F: Clone, C: Clone> Clone for KeyedCircuitBreakerLayer<K, F, C> {
    fn clone(&self) -> Self {
        Self {
            breaker: self.breaker.clone(),
            key: self.key.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<K, F, C> fmt::Debug for KeyedCircuitBreakerLayer<K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCircuitBreakerLayer")
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
