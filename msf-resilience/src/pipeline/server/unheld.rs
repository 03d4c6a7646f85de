//! What stands in the place of a limit when there is none: its responses hold nothing, but have the type of those that do.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::bulkhead::Hold;

/// A service whose responses could hold a `G` as `H` says, and hold none.
pub struct Unheld<S, H, G> {
    inner: S,
    hold: PhantomData<fn() -> (H, G)>,
}

pin_project! {
    /// Future of [`Unheld`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct UnheldFuture<F, H, G> {
        #[pin]
        inner: F,
        hold: PhantomData<fn() -> (H, G)>,
    }
}

impl<S, H, G> Unheld<S, H, G> {
    pub(super) const fn new(inner: S) -> Self {
        Self {
            inner,
            hold: PhantomData,
        }
    }
}

impl<S, H, G, Req> Service<Req> for Unheld<S, H, G>
where
    S: Service<Req>,
    H: Hold<S::Response>,
{
    type Response = H::Held<G>;
    type Error = S::Error;
    type Future = UnheldFuture<S::Future, H, G>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        UnheldFuture {
            inner: self.inner.call(request),
            hold: PhantomData,
        }
    }
}

impl<F, H, G, Res, E> Future for UnheldFuture<F, H, G>
where
    F: Future<Output = Result<Res, E>>,
    H: Hold<Res>,
{
    type Output = Result<H::Held<G>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_ok(H::free)
    }
}

impl<S: Clone, H, G> Clone for Unheld<S, H, G> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S: fmt::Debug, H, G> fmt::Debug for Unheld<S, H, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unheld").field(&self.inner).finish()
    }
}
