//! The service with a typed error.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower_service::Service;

use super::{error::Error, future::ResponseFuture, settings::Settings};

/// A service whose calls end with the deadlines of their requests. Made by [`DeadlineLayer`](super::DeadlineLayer).
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    settings: Arc<Settings>,
    is_timed: bool,
}

impl<S> DeadlineService<S> {
    pub(super) const fn new(inner: S, settings: Arc<Settings>, is_timed: bool) -> Self {
        Self {
            inner,
            settings,
            is_timed,
        }
    }
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.settings.apply(&mut request) {
            Ok(deadline) => {
                let late = self.settings.late();
                let deadline = deadline.filter(|_| self.is_timed);
                ResponseFuture::calling(self.inner.call(request), deadline, late)
            }
            // The service inside stays ready for the next call.
            Err(exceeded) => ResponseFuture::exceeded(exceeded),
        }
    }
}
