//! The services of the parts, one inside the other.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use msf_core::classify::{Classify, Http};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    handle::Parts,
    limit::{TotalLimit, TotalLimitLayer},
};
use crate::{
    Through,
    bulkhead::{BulkheadLayer, BulkheadService, UntilResponse, Wait},
    circuit_breaker::{CircuitBreakerLayer, CircuitBreakerService},
    pipeline::{
        enter::Enter,
        error::Error,
        maybe::{Maybe, MaybeService},
    },
};

type Breaking<S, C> = MaybeService<CircuitBreakerService<Enter<S>, Through<C>>, Enter<S>>;
type Bounded<S, C> =
    MaybeService<BulkheadService<Breaking<S, C>, Wait, UntilResponse>, Breaking<S, C>>;
type Limited<S, C> = MaybeService<TotalLimit<Bounded<S, C>>, Bounded<S, C>>;
type Outermost<S, C> = Limited<S, C>;

/// A service behind a pipeline. Made by [`HttpClient`](super::HttpClient).
#[derive(Clone, Debug)]
pub struct HttpClientService<S, C = Http> {
    stack: Outermost<S, C>,
}

pin_project! {
    /// Future of [`HttpClientService`], of the call that the outermost part makes.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct HttpClientFuture<F> {
        #[pin]
        outermost: F,
    }
}

impl<S, C: Clone> HttpClientService<S, C> {
    pub(super) fn new(inner: S, parts: &Parts, classify: &C) -> Self {
        let breaker = parts
            .breaker
            .clone()
            .map(|breaker| CircuitBreakerLayer::new(breaker).classify(Through(classify.clone())));
        let bulkhead = parts.bulkhead.clone();
        let bulkhead = bulkhead.map(|bulkhead| BulkheadLayer::new(bulkhead).waiting());
        let rate_limit = parts.rate_limit.clone().map(TotalLimitLayer);

        let stack = Maybe::from(breaker).layer(Enter(inner));
        let stack = Maybe::from(bulkhead).layer(stack);
        let stack = Maybe::from(rate_limit).layer(stack);
        Self { stack }
    }
}

impl<S, C, Req> Service<Req> for HttpClientService<S, C>
where
    S: Service<Req> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = HttpClientFuture<<Outermost<S, C> as Service<Req>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        HttpClientFuture {
            outermost: self.stack.call(request),
        }
    }
}

impl<F: Future> Future for HttpClientFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().outermost.poll(cx)
    }
}
