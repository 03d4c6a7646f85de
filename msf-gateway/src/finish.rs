//! What all answers have in common, whatever step they come from: the last thing inside of the layers that
//! observe.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use msf_core::{body::Body, trace};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    access_log,
    body::Proxied,
    failure::grpc,
    forward::{Forward, ForwardFuture},
    pipeline::Worker,
    respond,
};

/// Counts failures, and says them in the client's protocol.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    worker: Arc<Worker>,
    forward: Forward,
}

pin_project! {
    pub(crate) struct FinishFuture {
        worker: Arc<Worker>,
        is_grpc: bool,
        #[pin]
        forward: ForwardFuture,
    }
}

impl Finish {
    pub(crate) fn new(worker: Arc<Worker>) -> Self {
        let forward = Forward::new(Arc::clone(&worker));
        Self { worker, forward }
    }
}

impl Service<Request<Body>> for Finish {
    type Response = Response<Proxied>;
    type Error = Infallible;
    type Future = FinishFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> FinishFuture {
        access_log::note(|record| {
            record.request_id = trace::current_request_id();
        });
        FinishFuture {
            worker: Arc::clone(&self.worker),
            is_grpc: grpc::is_grpc(request.headers()),
            forward: self.forward.call(request),
        }
    }
}

impl Future for FinishFuture {
    type Output = Result<Response<Proxied>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.forward.poll(cx));
        // An answer of a service has none: `respond::cleaned` sees to that.
        let Some(failure) = respond::failure(response.extensions()) else {
            return Poll::Ready(Ok(response));
        };
        this.worker.shared.failures.count(failure);
        if !*this.is_grpc {
            return Poll::Ready(Ok(response));
        }
        let response = grpc::trailers_only(failure, response.map(|_problem| Bytes::new()));
        Poll::Ready(Ok(response.map(Proxied::from)))
    }
}
