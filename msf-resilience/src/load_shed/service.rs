//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::{error::Error, future::ResponseFuture, handle::LoadShed, priority::Priority};

/// A service behind a load shed. Made by [`LoadShedLayer`](super::LoadShedLayer).
///
/// `poll_ready` asks the service inside: what it holds back before it is ready is never judged. Put services that are ready
/// at once inside, such as a [bulkhead](crate::bulkhead) or an [adaptive limit](crate::adaptive).
#[derive(Clone, Debug)]
pub struct LoadShedService<S, P> {
    inner: S,
    shed: LoadShed,
    priority: P,
}

impl<S, P> LoadShedService<S, P> {
    pub(super) const fn new(inner: S, shed: LoadShed, priority: P) -> Self {
        Self {
            inner,
            shed,
            priority,
        }
    }
}

impl<S, P, Req> Service<Req> for LoadShedService<S, P>
where
    S: Service<Req>,
    P: Fn(&Req) -> Priority,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.shed.check((self.priority)(&request)) {
            Ok(()) => ResponseFuture::calling(self.inner.call(request)),
            // The service inside stays ready for the next call.
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }
}
