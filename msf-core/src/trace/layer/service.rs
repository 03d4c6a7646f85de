//! [`Trace`], the service.

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{body::ResponseBody, config::TraceLayer, exchange::Exchange, future::ResponseFuture};

/// Serves each request inside its [`RequestContext`](super::super::RequestContext) and span; see
/// the [module documentation](crate::trace).
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    config: TraceLayer,
}

impl<S> Trace<S> {
    pub(super) fn new(inner: S, config: TraceLayer) -> Self {
        Self { inner, config }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Trace<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let context = self.config.context(&request);
        let mut exchange = Exchange::start(self.config, &request, context.clone());
        request.extensions_mut().insert(context);
        let inner = exchange.within(|| self.inner.call(request));
        ResponseFuture::new(inner, exchange)
    }
}
