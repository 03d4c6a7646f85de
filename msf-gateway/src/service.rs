//! The gateway as a tower service, with or without the layers that observe it.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use msf_core::{
    body::Body,
    metrics::{HttpMetrics, HttpMetricsLayer, http::ResponseFuture as MetricsFuture},
    route::MatchedRoute,
    trace::{Trace, TraceLayer, future::ResponseFuture as TraceFuture},
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    access_log::Exchange,
    body::{Proxied, ResponseBody},
    finish::{Finish, FinishFuture},
    live::Slot,
    own::OwnFuture,
    pipeline::{Target, Worker},
};

/// The gateway as a service: for `msf_core`'s server, for axum's `fallback_service`, for a test.
///
/// It is always ready, and its clones share everything. Made by
/// [`Gateway::into_service`](crate::Gateway::into_service); the [crate documentation](crate) has an example.
#[derive(Clone)]
pub struct GatewayService {
    slot: Arc<Slot>,
}

#[derive(Clone)]
pub(crate) enum Stack {
    Bare(Finish),
    Observed(Trace<HttpMetrics<Finish>>),
}

pin_project! {
    /// The future of [`GatewayService`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives the call to the service up.
    pub struct GatewayFuture {
        #[pin]
        state: State,
        // Behind the state, so that the line comes after all that the state's drop does.
        exchange: Option<Exchange>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Own { answer: OwnFuture },
        Bare { #[pin] forward: FinishFuture, route: Option<MatchedRoute> },
        Observed { #[pin] forward: TraceFuture<MetricsFuture<FinishFuture>> },
    }
}

impl GatewayService {
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot }
    }
}

impl Stack {
    /// For a place where somebody else observes the requests.
    pub(crate) fn bare(worker: &Arc<Worker>) -> Self {
        Self::Bare(Finish::new(Arc::clone(worker)))
    }

    pub(crate) fn observed(
        worker: &Arc<Worker>,
        trace: TraceLayer,
        metrics: &HttpMetricsLayer,
    ) -> Self {
        let forward = Finish::new(Arc::clone(worker));
        // The metrics inside of the trace, so that what they log has the ids of the request.
        Self::Observed(trace.layer(metrics.layer(forward)))
    }
}

impl Service<Request<Body>> for GatewayService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = GatewayFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> GatewayFuture {
        // Two loads are what a request pays for configurations that change. Nothing is kept here: servers clone a service
        // for each connection and call the clones, and what those that are never called kept would live on for ever.
        let built = self.slot.built();
        if let Some(answer) = built.worker.shared.enter(&mut request) {
            return GatewayFuture {
                state: State::Own { answer },
                exchange: None,
            };
        }
        let mut exchange = Exchange::start(&built.worker, &mut request);
        let mut stack = built.stack.clone();
        drop(built);
        let call = || match &mut stack {
            Stack::Bare(forward) => State::Bare {
                route: matched(&request),
                forward: forward.call(request),
            },
            Stack::Observed(observed) => State::Observed {
                forward: observed.call(request),
            },
        };
        let state = exchange.within(call);
        GatewayFuture {
            state,
            exchange: Some(exchange),
        }
    }
}

/// For the layers of whoever has mounted the service: they see the response only.
fn matched(request: &Request<Body>) -> Option<MatchedRoute> {
    match request.extensions().get()? {
        Target::Route(route, _) => Some(route.template.clone()),
        _ => None,
    }
}

impl Future for GatewayFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let state = this.state;
        let response = match this.exchange {
            Some(exchange) => ready!(exchange.within(|| state.poll(cx))),
            None => return state.poll(cx).map(Ok),
        };
        let exchange = this.exchange.take();
        Poll::Ready(Ok(match exchange {
            Some(exchange) => ResponseBody::followed(response, exchange),
            None => response,
        }))
    }
}

impl State {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        Poll::Ready(match self.project() {
            StateProjection::Own { answer } => {
                let response = ready!(answer.as_mut().poll(cx));
                response.map(|bytes| ResponseBody::bare(Proxied::from(bytes)))
            }
            StateProjection::Bare { forward, route } => {
                let Ok(mut response) = ready!(forward.poll(cx));
                if let Some(route) = route.take() {
                    response.extensions_mut().insert(route);
                }
                response.map(ResponseBody::bare)
            }
            StateProjection::Observed { forward } => {
                let Ok(response) = ready!(forward.poll(cx));
                response.map(ResponseBody::observed)
            }
        })
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayService").finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayFuture").finish_non_exhaustive()
    }
}
