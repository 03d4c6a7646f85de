//! The service that measures.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    body::ResponseBody,
    future::ResponseFuture,
    recorder::Recorder,
    track::{Routing, Tracker},
};

/// A service whose requests are measured. Made by [`HttpMetricsLayer`](super::HttpMetricsLayer).
#[derive(Clone, Debug)]
pub struct HttpMetrics<S> {
    inner: S,
    recorder: Arc<Recorder>,
    routing: Routing,
}

impl<S> HttpMetrics<S> {
    pub(super) fn new(inner: S, recorder: Arc<Recorder>, routing: Routing) -> Self {
        Self {
            inner,
            recorder,
            routing,
        }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HttpMetrics<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // Here and not at the first poll: a request that waits for its first poll is in flight.
        let (method, extensions) = (request.method(), request.extensions());
        let tracker = Tracker::start(&self.recorder, self.routing, method, extensions);
        let head_only = method == http::Method::HEAD;
        let mut tracker = Some(tracker);
        let future = Tracker::enter(&mut tracker, || self.inner.call(request));
        ResponseFuture::new(future, tracker, head_only)
    }
}
