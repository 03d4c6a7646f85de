//! What stands in the place of the retry when there is none.

use std::task::{Context, Poll};

use tower_service::Service;

use crate::retry::Replay;

/// A service whose requests have the bodies that a retry would give them, and are made once.
#[derive(Clone, Debug)]
pub struct Once<S, R> {
    inner: S,
    replay: R,
}

impl<S, R> Once<S, R> {
    pub(super) const fn new(inner: S, replay: R) -> Self {
        Self { inner, replay }
    }
}

impl<S, R, Req> Service<Req> for Once<S, R>
where
    S: Service<R::Request>,
    R: Replay<Req>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.inner.call(self.replay.once(request))
    }
}
