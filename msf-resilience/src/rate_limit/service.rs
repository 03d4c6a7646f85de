//! The service with a typed error.

use std::{
    hash::Hash,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{
    decision::{Allowed, Limited},
    error::Error,
    future::ResponseFuture,
    limiter::RateLimiter,
};

/// A service behind a limit. Made by [`RateLimitLayer`](super::RateLimitLayer).
///
/// `poll_ready` takes nothing from the limit: a request is counted when it is made.
#[derive(Clone, Debug)]
pub struct RateLimitService<S, K, F> {
    inner: S,
    limiter: RateLimiter<K>,
    key: F,
}

impl<S, K, F> RateLimitService<S, K, F> {
    pub(super) const fn new(inner: S, limiter: RateLimiter<K>, key: F) -> Self {
        Self {
            inner,
            limiter,
            key,
        }
    }

    #[inline]
    pub(super) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Nothing for a request without a key.
    #[inline]
    pub(super) fn check<Req>(&self, request: &Req) -> Result<Option<Allowed>, Limited>
    where
        F: Fn(&Req) -> Option<K>,
        K: Hash,
    {
        (self.key)(request)
            .map(|key| self.limiter.check(&key))
            .transpose()
    }
}

impl<S, K, F, Req> Service<Req> for RateLimitService<S, K, F>
where
    S: Service<Req>,
    F: Fn(&Req) -> Option<K>,
    K: Hash,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.check(&request) {
            Ok(_) => ResponseFuture::calling(self.inner.call(request)),
            Err(limited) => ResponseFuture::limited(limited),
        }
    }
}
