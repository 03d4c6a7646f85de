//! The service with a typed error.

use std::{
    mem,
    task::{Context, Poll},
};

use msf_core::classify::Classify;
use tower_service::Service;

use super::{
    error::Error,
    future::{Repeat, ResponseFuture},
    policy::RetryPolicy,
    repeatable::Repeatable,
    request::Replay,
};

/// A service whose failed calls are made again. Made by [`RetryLayer`](super::RetryLayer).
///
/// A call that may be made again takes the service that said it is ready and leaves a clone of it here.
#[derive(Clone, Debug)]
pub struct RetryService<S, R, C, P> {
    inner: S,
    policy: RetryPolicy,
    replay: R,
    classify: C,
    repeatable: P,
}

impl<S, R, C, P> RetryService<S, R, C, P> {
    pub(super) const fn new(
        inner: S,
        policy: RetryPolicy,
        replay: R,
        classify: C,
        repeatable: P,
    ) -> Self {
        Self {
            inner,
            policy,
            replay,
            classify,
            repeatable,
        }
    }
}

impl<S, R, C, P, Req> Service<Req> for RetryService<S, R, C, P>
where
    S: Service<R::Request> + Clone,
    R: Replay<Req> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
    P: Repeatable<Req>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S, Req, R, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let policy = self.policy.shared();
        let (deposit, late) = (policy.deposit(), policy.late());
        let policy = policy.core();
        let is_repeatable =
            policy.max_attempts() > 1 && self.repeatable.is_repeatable(&request, policy.methods());
        let (request, kept) = if is_repeatable {
            self.replay.first(request, policy.terms())
        } else {
            (self.replay.once(request), None)
        };
        let classify = self.classify.clone();
        let Some(kept) = kept else {
            return ResponseFuture::new(self.inner.call(request), None, classify, deposit, late);
        };
        // The clone is not ready; the next call asks it. The ready one goes with this call.
        let clone = self.inner.clone();
        let mut service = mem::replace(&mut self.inner, clone);
        let attempt = service.call(request);
        let repeat = Repeat::new(service, self.replay.clone(), kept);
        ResponseFuture::new(attempt, Some(repeat), classify, deposit, late)
    }
}
