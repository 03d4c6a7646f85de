//! The services of the parts, one inside the other.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use http_body::Body;
use msf_core::classify::{Classify, Http};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    handle::Parts,
    limit::{TotalLimit, TotalLimitLayer},
    once::Once,
};
use crate::{
    Through,
    bulkhead::{BulkheadLayer, BulkheadService, UntilResponse, Wait},
    circuit_breaker::{CircuitBreakerLayer, CircuitBreakerService},
    deadline::{DeadlineLayer, DeadlineService},
    hedge::{self, HedgeLayer, HedgeService},
    pipeline::{
        enter::Enter,
        error::Error,
        maybe::{Maybe, MaybeService},
    },
    retry::{self, Replay, ReplayHttp, RetryLayer, RetryPolicy, RetryService},
    timeout::{NoDeadline, TimeoutService},
};

/// A layer in its place, or nothing there.
type With<Service, Without> = MaybeService<Service, Without>;

type Told<S> = With<DeadlineService<Enter<S>>, Enter<S>>;
type Timed<S> = With<TimeoutService<Told<S>, NoDeadline>, Told<S>>;
type Breaking<S, C> = With<CircuitBreakerService<Timed<S>, Through<C>>, Timed<S>>;
type Bounded<S, C> = With<BulkheadService<Breaking<S, C>, Wait, UntilResponse>, Breaking<S, C>>;
type Limited<S, C> = With<TotalLimit<Bounded<S, C>>, Bounded<S, C>>;
type Hedged<S, C> = With<HedgeService<Limited<S, C>, hedge::Idempotent, Through<C>>, Limited<S, C>>;
type Retried<S, C, R> =
    With<RetryService<Hedged<S, C>, R, Through<C>, retry::Idempotent>, Once<Hedged<S, C>, R>>;
type Outermost<S, C, R> = With<DeadlineService<Retried<S, C, R>>, Retried<S, C, R>>;

/// A service behind a pipeline. Made by [`HttpClient`](super::HttpClient).
#[derive(Clone, Debug)]
pub struct HttpClientService<S, C = Http, R = ReplayHttp> {
    stack: Outermost<S, C, R>,
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

impl<S, C: Clone, R: Clone> HttpClientService<S, C, R> {
    pub(super) fn new(inner: S, parts: &Parts, classify: &C, replay: &R) -> Self {
        let margin = parts.deadline_margin;
        let total = parts.deadline.part.clone().map(|total| total.0);
        let told = total.as_ref().map(|_| DeadlineLayer::new().inject(margin));
        let breaker =
            parts.breaker.part.clone().map(|breaker| {
                CircuitBreakerLayer::new(breaker).classify(Through(classify.clone()))
            });
        let bulkhead = parts.bulkhead.part.clone();
        let bulkhead = bulkhead.map(|bulkhead| BulkheadLayer::new(bulkhead).waiting());
        let counted = parts.retry.part.as_ref().and_then(RetryPolicy::budget);
        let hedge = parts.hedge.part.clone().map(|policy| {
            let policy = match counted {
                Some(budget) => policy.inside(budget),
                None => policy,
            };
            HedgeLayer::answering(policy).classify(Through(classify.clone()))
        });
        let rate_limit = parts.rate_limit.part.clone().map(TotalLimitLayer);

        let stack = Maybe::from(told).layer(Enter(inner));
        let stack = Maybe::from(parts.attempt_timeout.part.clone()).layer(stack);
        let stack = Maybe::from(breaker).layer(stack);
        let stack = Maybe::from(bulkhead).layer(stack);
        let stack = Maybe::from(rate_limit).layer(stack);
        let stack = Maybe::from(hedge).layer(stack);
        let replay = replay.clone();
        let stack = match parts.retry.part.clone() {
            Some(policy) => MaybeService::on(
                RetryLayer::with(policy, replay, Through(classify.clone())).layer(stack),
            ),
            None => MaybeService::off(Once::new(stack, replay)),
        };
        let stack = Maybe::from(total).layer(stack);
        Self { stack }
    }
}

impl<S, C, R, B, O> Service<Request<B>> for HttpClientService<S, C, R>
where
    S: Service<Request<O>> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
    R: Replay<Request<B>, Request = Request<O>> + Clone,
    O: Body + Default,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = HttpClientFuture<<Outermost<S, C, R> as Service<Request<B>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
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
