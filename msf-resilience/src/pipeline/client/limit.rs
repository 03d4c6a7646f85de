//! The limit in front of a callee: one for all calls together.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    pipeline::error::Error,
    rate_limit::{DirectLimiter, Limited},
};

#[derive(Clone, Debug)]
pub(super) struct TotalLimitLayer(pub(super) DirectLimiter);

/// A service behind one limit for all calls together.
#[derive(Clone, Debug)]
pub struct TotalLimit<S> {
    inner: S,
    limiter: DirectLimiter,
}

pin_project! {
    /// Future of [`TotalLimit`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TotalLimitFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Calling {
            #[pin]
            future: F,
        },
        Refused {
            limited: Option<Limited>,
        },
    }
}

impl<S> Layer<S> for TotalLimitLayer {
    type Service = TotalLimit<S>;

    fn layer(&self, inner: S) -> TotalLimit<S> {
        TotalLimit {
            inner,
            limiter: self.0.clone(),
        }
    }
}

impl<S, Req, E> Service<Req> for TotalLimit<S>
where
    S: Service<Req, Error = Error<E>>,
{
    type Response = S::Response;
    type Error = Error<E>;
    type Future = TotalLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.limiter.check() {
            Ok(_) => State::Calling {
                future: self.inner.call(request),
            },
            Err(limited) => State::Refused {
                limited: Some(limited),
            },
        };
        TotalLimitFuture { state }
    }
}

impl<F, T, E> Future for TotalLimitFuture<F>
where
    F: Future<Output = Result<T, Error<E>>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProjection::Calling { future } => future.poll(cx),
            StateProjection::Refused { limited } => {
                let limited = limited
                    .take()
                    .expect("a future is not polled after its end");
                Poll::Ready(Err(Error::RateLimited(limited)))
            }
        }
    }
}
