//! The face that answers.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Auth, AuthFuture, AuthLayer, Error};

/// As [`AuthLayer`], with services that answer refusals with a problem. Made by [`AuthLayer::answering`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringAuthLayer(AuthLayer);

/// The service of [`AnsweringAuthLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringAuth<S>(Auth<S>);

pin_project! {
    /// The response of [`AnsweringAuth`].
    pub struct AnsweringFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        inner: AuthFuture<S, B>,
    }
}

impl AnsweringAuthLayer {
    pub(super) const fn new(layer: AuthLayer) -> Self {
        Self(layer)
    }
}

impl<S> Layer<S> for AnsweringAuthLayer {
    type Service = AnsweringAuth<S>;

    fn layer(&self, inner: S) -> AnsweringAuth<S> {
        AnsweringAuth(self.0.layer(inner))
    }
}

impl<S, B, R> Service<Request<B>> for AnsweringAuth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AnsweringFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx).map_err(|error| match error {
            Error::Inner(error) => error,
            Error::Refused(_) => unreachable!("readiness is the inner service's"),
        })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        AnsweringFuture {
            inner: self.0.call(request),
        }
    }
}

impl<S, B, R> Future for AnsweringFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().inner.poll(cx)) {
            Ok(response) => Ok(response),
            Err(Error::Inner(error)) => Err(error),
            Err(Error::Refused(refusal)) => Ok(refusal.into_response()),
        })
    }
}

impl<S, B> fmt::Debug for AnsweringFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringFuture").finish_non_exhaustive()
    }
}
