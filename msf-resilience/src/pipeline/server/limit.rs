//! The limit in front of a handler: one for each key, and answers that tell of it.

use std::{
    fmt,
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use msf_core::problem::Problem;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::rate_limit::{Allowed, Limited, RateLimiter, key::KeySource};

pub(super) struct KeyedLimitLayer<K: KeySource> {
    pub(super) limiter: RateLimiter<K::Key>,
    pub(super) source: K,
}

/// A service behind a limit by key. Its answers carry the fields of the limit, those of requests without a key excepted.
pub struct KeyedLimit<S, K: KeySource> {
    inner: S,
    limiter: RateLimiter<K::Key>,
    source: K,
}

pin_project! {
    /// Future of [`KeyedLimit`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct KeyedLimitFuture<F> {
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
            allowed: Option<Allowed>,
        },
        Refused {
            limited: Option<Limited>,
        },
    }
}

impl<S, K: KeySource + Clone> Layer<S> for KeyedLimitLayer<K> {
    type Service = KeyedLimit<S, K>;

    fn layer(&self, inner: S) -> KeyedLimit<S, K> {
        KeyedLimit {
            inner,
            limiter: self.limiter.clone(),
            source: self.source.clone(),
        }
    }
}

impl<S: Clone, K: KeySource + Clone> Clone for KeyedLimit<S, K> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            limiter: self.limiter.clone(),
            source: self.source.clone(),
        }
    }
}

impl<S: fmt::Debug, K: KeySource> fmt::Debug for KeyedLimit<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimit")
            .field("inner", &self.inner)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}

impl<S, K, A, B> Service<Request<A>> for KeyedLimit<S, K>
where
    S: Service<Request<A>, Response = Response<B>>,
    K: KeySource,
    K::Key: Hash,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = KeyedLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let key = self.source.key(request.headers(), request.extensions());
        let state = match key.map(|key| self.limiter.check(&key)).transpose() {
            Ok(allowed) => State::Calling {
                future: self.inner.call(request),
                allowed,
            },
            Err(limited) => State::Refused {
                limited: Some(limited),
            },
        };
        KeyedLimitFuture { state }
    }
}

impl<F, B, E> Future for KeyedLimitFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProjection::Calling { future, allowed } => {
                let mut outcome = ready!(future.poll(cx));
                if let (Ok(response), Some(allowed)) = (&mut outcome, allowed) {
                    allowed.write_to(response.headers_mut());
                }
                Poll::Ready(outcome)
            }
            StateProjection::Refused { limited } => {
                let limited = limited
                    .take()
                    .expect("a future is not polled after its end");
                let mut response: Response<B> = Problem::from(limited.clone()).into_response();
                limited.write_to(response.headers_mut());
                Poll::Ready(Ok(response))
            }
        }
    }
}
