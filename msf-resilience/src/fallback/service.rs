//! The service.

use std::task::{Context, Poll};

use tower_service::Service;

use super::{
    alternative::Alternative, decide::Decide, future::ResponseFuture, handle::Fallback, mark::Mark,
};

/// A service with a fallback. Made by [`FallbackLayer`](super::FallbackLayer).
///
/// `poll_ready` is that of the service inside, and so is its error: a service that is not ready gets no call, and
/// without a call there is no answer to replace. Put a layer inside that is always ready, such as a breaker.
#[derive(Clone, Debug)]
pub struct FallbackService<S, A, D, M> {
    pub(super) inner: S,
    pub(super) fallback: Fallback,
    pub(super) alternative: A,
    pub(super) decide: D,
    pub(super) mark: M,
}

impl<S, A, D, M, Req> Service<Req> for FallbackService<S, A, D, M>
where
    S: Service<Req>,
    A: Alternative<Req, S::Response, S::Error> + Clone,
    D: Decide<S::Response, S::Error> + Clone,
    M: Mark<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, A, D, M, Req, S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let kept = self.alternative.keep(&request);
        let alternative = kept.map(|kept| (self.alternative.clone(), kept));
        ResponseFuture::new(
            self.inner.call(request),
            alternative,
            self.fallback.late(),
            self.decide.clone(),
            self.mark.clone(),
        )
    }
}
