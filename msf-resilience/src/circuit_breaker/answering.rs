//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use msf_core::{
    classify::{Classify, Http},
    problem::Problem,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    breaker::CircuitBreaker, error::Error, future::ResponseFuture, service::CircuitBreakerService,
};

/// Puts a breaker before an HTTP service; a refused call is answered with problem+json.
///
/// The error type stays that of the service inside, so it drops into `axum::Router::layer`:
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
/// assert_eq!(refused.headers()["content-type"], "application/problem+json");
/// assert!(refused.headers().contains_key("retry-after"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringCircuitBreakerLayer<C = Http> {
    breaker: CircuitBreaker,
    classify: C,
}

/// A service behind a breaker that answers. Made by [`AnsweringCircuitBreakerLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringCircuitBreakerService<S, C> {
    typed: CircuitBreakerService<S, C>,
}

pin_project! {
    /// Future of [`AnsweringCircuitBreakerService`].
    ///
    /// Dropped before it is done, it counts as a cancelled call.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F, C> {
        #[pin]
        typed: ResponseFuture<F, C>,
    }
}

impl<F, C> AnsweringFuture<F, C> {
    #[inline]
    pub(super) const fn new(typed: ResponseFuture<F, C>) -> Self {
        Self { typed }
    }
}

impl AnsweringCircuitBreakerLayer {
    pub(super) fn new(breaker: CircuitBreaker) -> Self {
        Self {
            breaker,
            classify: Http::default(),
        }
    }
}

impl<C> AnsweringCircuitBreakerLayer<C> {
    /// Judges outcomes by another rule: a [`Classify`] or a closure.
    pub fn classify<D>(self, classify: D) -> AnsweringCircuitBreakerLayer<D> {
        AnsweringCircuitBreakerLayer {
            breaker: self.breaker,
            classify,
        }
    }
}

impl<S, C: Clone> Layer<S> for AnsweringCircuitBreakerLayer<C> {
    type Service = AnsweringCircuitBreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringCircuitBreakerService {
            typed: CircuitBreakerService::new(inner, self.breaker.clone(), self.classify.clone()),
        }
    }
}

impl<S, C, Req, B> Service<Req> for AnsweringCircuitBreakerService<S, C>
where
    S: Service<Req, Response = Response<B>>,
    C: Classify<S::Response, S::Error> + Clone,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.typed.poll_inner_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture::new(self.typed.call(request))
    }
}

impl<F, C, B, E> Future for AnsweringFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: Classify<Response<B>, E>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().typed.poll(cx)) {
            Ok(response) => Ok(response),
            Err(Error::Open(refusal)) => Ok(Problem::from(refusal).into_response()),
            Err(Error::Inner(error)) => Err(error),
        })
    }
}
