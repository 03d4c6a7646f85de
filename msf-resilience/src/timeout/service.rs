//! The service with a typed error.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{error::Error, future::ResponseFuture, layer::Limit, settings::Settings};

/// A service whose calls have a timeout. Made by [`TimeoutLayer`](super::TimeoutLayer).
#[derive(Clone, Debug)]
pub struct TimeoutService<S, L> {
    inner: S,
    settings: Arc<Settings>,
    limit: L,
}

impl<S, L> TimeoutService<S, L> {
    pub(super) const fn new(inner: S, settings: Arc<Settings>, limit: L) -> Self {
        Self {
            inner,
            settings,
            limit,
        }
    }
}

impl<S, L, Req> Service<Req> for TimeoutService<S, L>
where
    S: Service<Req>,
    L: Limit<Req>,
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
        let deadline = self.limit.deadline(&request);
        let (after, late) = (self.settings.after(), self.settings.late());
        ResponseFuture::new(self.inner.call(request), after, deadline, late)
    }
}
