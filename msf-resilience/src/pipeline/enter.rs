//! The innermost part of a pipeline: the error of the service becomes that of the pipeline.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::error::Error;

/// A service whose errors are [`Error::Inner`].
#[derive(Clone, Debug)]
pub struct Enter<S>(pub(super) S);

pin_project! {
    /// Future of [`Enter`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct EnterFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<S: Service<Req>, Req> Service<Req> for Enter<S> {
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = EnterFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        EnterFuture {
            inner: self.0.call(request),
        }
    }
}

impl<F, T, E> Future for EnterFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_err(Error::Inner)
    }
}
