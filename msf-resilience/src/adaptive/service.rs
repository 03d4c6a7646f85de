//! The service.

use std::{
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use msf_core::classify::Classify;
use tower_service::Service;

use super::{error::Error, future::ResponseFuture, handle::AdaptiveLimit, permit::Permit};
use crate::bulkhead::Hold;

/// A service behind an adaptive limit. Made by [`AdaptiveLayer`](super::AdaptiveLayer).
///
/// `poll_ready` asks the service inside and takes nothing from the limit; a permit is taken when a call is made.
pub struct AdaptiveService<S, C, H> {
    inner: S,
    limit: AdaptiveLimit,
    classify: C,
    hold: PhantomData<fn() -> H>,
}

impl<S, C, H> AdaptiveService<S, C, H> {
    pub(super) const fn new(inner: S, limit: AdaptiveLimit, classify: C) -> Self {
        Self {
            inner,
            limit,
            classify,
            hold: PhantomData,
        }
    }
}

impl<S, C, H, Req> Service<Req> for AdaptiveService<S, C, H>
where
    S: Service<Req>,
    C: Classify<S::Response, S::Error> + Clone,
    H: Hold<S::Response>,
{
    type Response = H::Held<Permit>;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, C, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.limit.try_acquire() {
            Ok(permit) => {
                ResponseFuture::calling(self.inner.call(request), permit, self.classify.clone())
            }
            // The service inside stays ready for the next call.
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

impl<S: Clone, C: Clone, H> Clone for AdaptiveService<S, C, H> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.limit.clone(),
            self.classify.clone(),
        )
    }
}

impl<S: fmt::Debug, C, H> fmt::Debug for AdaptiveService<S, C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveService")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
