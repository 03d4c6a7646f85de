//! The keyed face that answers.

use std::{
    fmt,
    hash::Hash,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use msf_core::classify::{Classify, Http};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    super::answering::AnsweringFuture, layer::KeyedCircuitBreakerLayer,
    service::KeyedCircuitBreakerService,
};

/// Puts the circuits of a [`KeyedCircuitBreaker`](super::KeyedCircuitBreaker) before an HTTP service; a refused call is
/// answered with problem+json.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::circuit_breaker::{KeyedCircuitBreaker, KeyedCircuitBreakerLayer};
///
/// let tenants = KeyedCircuitBreaker::<String>::builder("tenants").build()?;
/// let app: Router = Router::new().route("/", get(|| async {})).layer(
///     KeyedCircuitBreakerLayer::answering(tenants, |request: &Request<Body>| {
///         request.headers().get("x-tenant")?.to_str().ok().map(str::to_owned)
///     }),
/// );
/// # drop(app);
/// # Ok::<(), msf_resilience::circuit_breaker::InvalidCircuitBreaker>(())
/// ```
#[must_use]
pub struct AnsweringKeyedCircuitBreakerLayer<K, F, C = Http>(
    pub(super) KeyedCircuitBreakerLayer<K, F, C>,
);

/// A service behind circuits by key that answers. Made by [`AnsweringKeyedCircuitBreakerLayer`].
pub struct AnsweringKeyedCircuitBreakerService<S, K, F, C>(KeyedCircuitBreakerService<S, K, F, C>);

impl<K, F, C> AnsweringKeyedCircuitBreakerLayer<K, F, C> {
    /// Judges outcomes by another rule: a [`Classify`] or a closure.
    pub fn classify<D>(self, classify: D) -> AnsweringKeyedCircuitBreakerLayer<K, F, D> {
        AnsweringKeyedCircuitBreakerLayer(self.0.classify(classify))
    }
}

impl<S, K, F: Clone, C: Clone> Layer<S> for AnsweringKeyedCircuitBreakerLayer<K, F, C> {
    type Service = AnsweringKeyedCircuitBreakerService<S, K, F, C>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringKeyedCircuitBreakerService(self.0.layer(inner))
    }
}

impl<S, K, F, C, Req, B> Service<Req> for AnsweringKeyedCircuitBreakerService<S, K, F, C>
where
    S: Service<Req, Response = Response<B>>,
    K: Hash + Eq + Clone + fmt::Debug + Send + 'static,
    F: Fn(&Req) -> Option<K>,
    C: Classify<S::Response, S::Error> + Clone,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_inner_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture::new(self.0.call(request))
    }
}

impl<K, F: Clone, C: Clone> Clone for AnsweringKeyedCircuitBreakerLayer<K, F, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, F, C> fmt::Debug for AnsweringKeyedCircuitBreakerLayer<K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Clone, K, F: Clone, C: Clone> Clone for AnsweringKeyedCircuitBreakerService<S, K, F, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: fmt::Debug, K, F, C> fmt::Debug for AnsweringKeyedCircuitBreakerService<S, K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
