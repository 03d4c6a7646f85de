//! The layer with a typed error.

use msf_core::classify::Http;
use tower_layer::Layer;

use super::{breaker::CircuitBreaker, service::CircuitBreakerService};
use crate::answering::Answering;

/// Puts a breaker before a service; a refused call gives [`Error::Open`](super::Error::Open).
///
/// Every service it makes shares the one breaker. Outcomes are judged by
/// [`Http`] unless [`classify`](Self::classify) says otherwise.
///
/// ```
/// use std::io;
/// use msf_core::classify::Classification;
/// use msf_resilience::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, Error};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::builder("disk").min_calls(1).build()?;
/// let layer = CircuitBreakerLayer::new(breaker).classify(|outcome: Result<&u8, &io::Error>| {
///     outcome.map_or(Classification::FAILURE, |_| Classification::SUCCESS)
/// });
/// let service = layer.layer(service_fn(|_path: &str| async { Err::<u8, _>(io::Error::other("gone")) }));
///
/// assert!(matches!(service.clone().oneshot("/a").await, Err(Error::Inner(_))));
/// assert!(matches!(service.oneshot("/a").await, Err(Error::Open(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CircuitBreakerLayer<C = Http> {
    breaker: CircuitBreaker,
    classify: C,
}

impl CircuitBreakerLayer {
    /// A layer with a typed error that judges HTTP responses.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self {
            breaker,
            classify: Http::default(),
        }
    }

    /// A layer that answers a refused call with problem+json instead of an error.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::{Request, StatusCode};
    /// use msf_resilience::circuit_breaker::{CircuitBreaker, CircuitBreakerLayer};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder("reports").min_calls(1).build()?;
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
    ///     .layer(CircuitBreakerLayer::answering(breaker));
    ///
    /// let failed = app.clone().oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(failed.status(), 500);
    ///
    /// let refused = app.oneshot(Request::new(Body::empty())).await?;
    /// assert_eq!(refused.status(), 503);
    /// assert!(refused.headers().contains_key("retry-after"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn answering(breaker: CircuitBreaker) -> Answering<Self> {
        Answering::new(Self::new(breaker))
    }
}

impl<C> Answering<CircuitBreakerLayer<C>> {
    /// See [`CircuitBreakerLayer::classify`].
    pub fn classify<D>(self, classify: D) -> Answering<CircuitBreakerLayer<D>> {
        self.map(|layer| layer.classify(classify))
    }
}

impl<C> CircuitBreakerLayer<C> {
    /// Judges outcomes by another rule: a [`Classify`](msf_core::classify::Classify) or a closure.
    pub fn classify<D>(self, classify: D) -> CircuitBreakerLayer<D> {
        CircuitBreakerLayer {
            breaker: self.breaker,
            classify,
        }
    }
}

impl<S, C: Clone> Layer<S> for CircuitBreakerLayer<C> {
    type Service = CircuitBreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService::new(inner, self.breaker.clone(), self.classify.clone())
    }
}
