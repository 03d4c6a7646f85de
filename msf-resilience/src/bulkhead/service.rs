//! The service.

use std::{
    fmt,
    marker::PhantomData,
    mem,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{
    error::{Cause, Error},
    future::ResponseFuture,
    handle::Bulkhead,
    hold::Hold,
    layer::{Refuse, Wait},
    permit::Permit,
    waiting::WaitingFuture,
};

/// A service behind a bulkhead. Made by [`BulkheadLayer`](super::BulkheadLayer).
///
/// `poll_ready` asks the service inside and takes nothing from the bulkhead; a permit is taken when a call is made.
pub struct BulkheadService<S, W, H> {
    inner: S,
    bulkhead: Bulkhead,
    mode: PhantomData<fn() -> (W, H)>,
}

impl<S, W, H> BulkheadService<S, W, H> {
    pub(super) const fn new(inner: S, bulkhead: Bulkhead) -> Self {
        Self {
            inner,
            bulkhead,
            mode: PhantomData,
        }
    }
}

impl<S, H, Req> Service<Req> for BulkheadService<S, Refuse, H>
where
    S: Service<Req>,
    H: Hold<S::Response>,
{
    type Response = H::Held<Permit>;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.bulkhead.try_acquire() {
            Ok(permit) => ResponseFuture::calling(self.inner.call(request), permit),
            // The service inside stays ready for the next call.
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}

impl<S, H, Req> Service<Req> for BulkheadService<S, Wait, H>
where
    S: Service<Req> + Clone,
    H: Hold<S::Response>,
{
    type Response = H::Held<Permit>;
    type Error = Error<S::Error>;
    type Future = WaitingFuture<S, Req, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        if let Some(permit) = self.bulkhead.try_permit() {
            return WaitingFuture::calling(self.inner.call(request), permit);
        }
        if self.bulkhead.max_wait().is_none() {
            return WaitingFuture::refused(self.bulkhead.refuse(Cause::Full));
        }
        // The one that is ready waits; a fresh clone would have to be asked first.
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        WaitingFuture::waiting(self.bulkhead.acquire(), ready, request)
    }
}

impl<S: Clone, W, H> Clone for BulkheadService<S, W, H> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.bulkhead.clone())
    }
}

impl<S: fmt::Debug, W, H> fmt::Debug for BulkheadService<S, W, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadService")
            .field("inner", &self.inner)
            .field("bulkhead", &self.bulkhead)
            .finish_non_exhaustive()
    }
}
