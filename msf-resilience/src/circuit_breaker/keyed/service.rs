//! The keyed service with a typed error.

use std::{
    fmt,
    hash::Hash,
    task::{Context, Poll},
};

use msf_core::classify::Classify;
use tower_service::Service;

use super::{
    super::{error::Error, future::ResponseFuture},
    breaker::KeyedCircuitBreaker,
};

/// A service behind circuits by key. Made by [`KeyedCircuitBreakerLayer`](super::KeyedCircuitBreakerLayer).
///
/// An error of `poll_ready` is that of the service inside; it has no key and is not counted.
pub struct KeyedCircuitBreakerService<S, K, F, C> {
    inner: S,
    breaker: KeyedCircuitBreaker<K>,
    key: F,
    classify: C,
}

impl<S, K, F, C> KeyedCircuitBreakerService<S, K, F, C> {
    pub(super) const fn new(
        inner: S,
        breaker: KeyedCircuitBreaker<K>,
        key: F,
        classify: C,
    ) -> Self {
        Self {
            inner,
            breaker,
            key,
            classify,
        }
    }

    #[inline]
    pub(super) fn poll_inner_ready<Req>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>>
    where
        S: Service<Req>,
    {
        self.inner.poll_ready(cx)
    }
}

impl<S, K, F, C, Req> Service<Req> for KeyedCircuitBreakerService<S, K, F, C>
where
    S: Service<Req>,
    K: Hash + Eq + Clone + fmt::Debug + Send + 'static,
    F: Fn(&Req) -> Option<K>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_inner_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let permit = match (self.key)(&request) {
            Some(key) => self.breaker.try_acquire(&key),
            None => Ok(self.breaker.unwatched()),
        };
        match permit {
            Ok(permit) => {
                let future = self.inner.call(request);
                ResponseFuture::calling(future, permit, self.classify.clone())
            }
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

impl<S: Clone, K, F: Clone, C: Clone> Clone for KeyedCircuitBreakerService<S, K, F, C> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.breaker.clone(),
            self.key.clone(),
            self.classify.clone(),
        )
    }
}

impl<S: fmt::Debug, K, F, C> fmt::Debug for KeyedCircuitBreakerService<S, K, F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCircuitBreakerService")
            .field("inner", &self.inner)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
