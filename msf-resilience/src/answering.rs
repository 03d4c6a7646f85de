//! Layers that answer instead of failing: for stacks whose errors are responses, such as axum's.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use msf_core::problem::Problem;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::LayerError;

/// The error of a layer that can tell a client of a refusal. Implemented by the error types of this crate.
pub trait Refused: LayerError + Sized {
    /// The problem to answer with.
    ///
    /// # Errors
    ///
    /// The error of the service inside, if the call reached it.
    fn into_problem(self) -> Result<Problem, Self::Inner>;
}

/// Makes the layer `L` answer a call that it refuses with problem+json.
///
/// The error type stays that of the service inside, so it drops into `axum::Router::layer`. Made by the `answering`
/// constructors of the layers:
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::bulkhead::{Bulkhead, BulkheadLayer};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bulkhead = Bulkhead::builder("reports").max_concurrent(1).build()?;
/// let app: Router = Router::new()
///     .route("/", get(|| async { "done" }))
///     .layer(BulkheadLayer::answering(bulkhead.clone()));
///
/// let _taken = bulkhead.try_acquire()?;
/// let refused = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(refused.status(), 503);
/// assert_eq!(refused.headers()["content-type"], "application/problem+json");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Answering<L> {
    layer: L,
}

/// A service that answers instead of refusing. Made by [`Answering`].
#[derive(Clone, Debug)]
pub struct AnsweringService<S> {
    typed: S,
}

pin_project! {
    /// Future of [`AnsweringService`]. Dropping it is dropping the future of the typed service.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F> {
        #[pin]
        typed: F,
    }
}

impl<L> Answering<L> {
    pub(crate) const fn new(layer: L) -> Self {
        Self { layer }
    }

    pub(crate) fn map<M>(self, change: impl FnOnce(L) -> M) -> Answering<M> {
        Answering::new(change(self.layer))
    }

    pub(crate) fn try_map<M, E>(
        self,
        change: impl FnOnce(L) -> Result<M, E>,
    ) -> Result<Answering<M>, E> {
        change(self.layer).map(Answering::new)
    }

    pub(crate) const fn typed(&self) -> &L {
        &self.layer
    }
}

impl<S, L: Layer<S>> Layer<S> for Answering<L> {
    type Service = AnsweringService<L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringService::new(self.layer.layer(inner))
    }
}

impl<S> AnsweringService<S> {
    pub(crate) const fn new(typed: S) -> Self {
        Self { typed }
    }
}

impl<S, Req, B> Service<Req> for AnsweringService<S>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: Refused,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = <S::Error as LayerError>::Inner;
    type Future = AnsweringFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The layers refuse in `call` only, so an error here is the inner service's.
        let answer = ready!(self.typed.poll_ready(cx));
        Poll::Ready(answer.or_else(|error| error.into_problem().map(|_| ())))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture {
            typed: self.typed.call(request),
        }
    }
}

impl<F, B, E> Future for AnsweringFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Refused,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E::Inner>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.project().typed.poll(cx));
        Poll::Ready(outcome.or_else(|error| error.into_problem().map(Problem::into_response)))
    }
}
