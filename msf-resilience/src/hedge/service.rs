//! The service.

use std::task::{Context, Poll};

use msf_core::classify::Classify;
use tower_service::Service;

use super::{
    future::{ResponseFuture, Spare},
    policy::HedgePolicy,
    repeat::Repeat,
};

/// A service whose slow calls are made a second time. Made by [`HedgeLayer`](super::HedgeLayer).
///
/// `poll_ready` is that of the service inside, which then makes the first attempt. An additional attempt is made by
/// a clone, once that says that it is ready.
#[derive(Clone, Debug)]
pub struct HedgeService<S, R, C> {
    pub(super) inner: S,
    pub(super) policy: HedgePolicy,
    pub(super) repeat: R,
    pub(super) classify: C,
}

impl<S, R, C, Req> Service<Req> for HedgeService<S, R, C>
where
    S: Service<Req> + Clone,
    R: Repeat<Req> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, R, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let hot = self.policy.hot();
        let (delay, track) = hot.begin();
        let deposit = self.policy.deposit();
        self.repeat.begin(&mut request);
        let deadline = self.repeat.deadline(&request);
        // A hedge that would begin when nobody waits any more need not be prepared.
        let delay = delay.filter(|delay| deadline.is_none_or(|at| at.remaining() > *delay));
        let spare = delay.and_then(|delay| {
            Some(Spare {
                request: self.repeat.copy(&request)?,
                service: self.inner.clone(),
                repeat: self.repeat.clone(),
                budget: self.policy.budget().clone(),
                delay,
                left: hot.max_hedges(),
            })
        });
        ResponseFuture::new(
            self.inner.call(request),
            spare,
            track,
            deposit,
            self.classify.clone(),
        )
    }
}
