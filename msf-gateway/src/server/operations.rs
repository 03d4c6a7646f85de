//! What operators ask, at an address of its own.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use msf_core::{
    body::Body,
    problem::{Code, Problem},
};
use tower_service::Service;

use crate::{
    gateway::Gateway,
    own::{OwnFuture, Scope},
};

/// The service of the operations listener.
#[derive(Clone, Debug)]
pub(super) struct Operations {
    gateway: Gateway,
}

pub(super) struct OperationsFuture(OwnFuture);

impl Operations {
    pub(super) fn new(gateway: &Gateway) -> Self {
        Self {
            gateway: gateway.clone(),
        }
    }
}

impl Service<Request<Body>> for Operations {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = OperationsFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> OperationsFuture {
        let uri = request.uri();
        let shared = self.gateway.shared();
        let answer =
            shared
                .own
                .answer(Scope::Operations, request.method(), uri.path(), uri.query());
        OperationsFuture(answer.unwrap_or_else(|| {
            Box::pin(std::future::ready(
                Problem::new(Code::NotFound).into_response(),
            ))
        }))
    }
}

impl Future for OperationsFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.0.as_mut().poll(cx));
        Poll::Ready(Ok(response.map(Body::from)))
    }
}
