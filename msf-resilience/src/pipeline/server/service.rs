//! The services of the parts, one inside the other.

use std::{
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, Request, Response};
use msf_core::classify::Http;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    handle::Parts,
    limit::{KeyedLimit, KeyedLimitLayer},
    shed::{PriorityFn, Shed, ShedLayer},
    unheld::Unheld,
};
use crate::{
    Through,
    adaptive::{self, AdaptiveLayer, AdaptiveService},
    bulkhead::{self, BulkheadLayer, BulkheadService, Hold, UntilResponse, Wait},
    deadline::DeadlineService,
    load_shed::Priority,
    pipeline::{
        enter::Enter,
        error::Error,
        maybe::{Maybe, MaybeService},
    },
    rate_limit::key::{Everyone, KeySource},
};

/// A layer in its place, or nothing there.
type With<Service, Without> = MaybeService<Service, Without>;

type Bounded<S, H> =
    With<BulkheadService<Enter<S>, Wait, H>, Unheld<Enter<S>, H, bulkhead::Permit>>;
type Adapted<S, H> = With<
    AdaptiveService<Bounded<S, H>, Through<Http>, H>,
    Unheld<Bounded<S, H>, H, adaptive::Permit>,
>;
type Limited<S, K, H> = With<KeyedLimit<Adapted<S, H>, K>, Adapted<S, H>>;
type Sheltered<S, K, P, H> = With<Shed<Limited<S, K, H>, P>, Limited<S, K, H>>;
type Outermost<S, K, P, H> = With<DeadlineService<Sheltered<S, K, P, H>>, Sheltered<S, K, P, H>>;

/// A handler behind a pipeline, before its errors become answers. Made by [`HttpServer`](super::HttpServer).
#[derive(Clone, Debug)]
pub struct HttpServerService<S, K: KeySource = Everyone, P = PriorityFn, H = UntilResponse> {
    stack: Outermost<S, K, P, H>,
}

pin_project! {
    /// Future of [`HttpServerService`], of the call that the outermost part makes.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct HttpServerFuture<F> {
        #[pin]
        outermost: F,
    }
}

impl<S, K: KeySource + Clone, P: Clone, H> HttpServerService<S, K, P, H> {
    pub(super) fn new(inner: S, parts: &Parts<K, P>) -> Self {
        let limit = parts
            .rate_limit
            .part
            .clone()
            .map(|limiter| KeyedLimitLayer {
                limiter,
                source: parts.key.clone(),
            });
        let shed = parts.load_shed.part.clone().map(|shed| ShedLayer {
            shed,
            priority: parts.priority.clone(),
        });

        let stack = match parts.bulkhead.part.clone() {
            Some(bulkhead) => {
                MaybeService::on(BulkheadLayer::<Wait, H>::with(bulkhead).layer(Enter(inner)))
            }
            None => MaybeService::off(Unheld::new(Enter(inner))),
        };
        let stack = match parts.adaptive.part.clone() {
            Some(limit) => {
                let classify = Through(Http::default());
                MaybeService::on(AdaptiveLayer::<_, H>::with(limit, classify).layer(stack))
            }
            None => MaybeService::off(Unheld::new(stack)),
        };
        let stack = Maybe::from(limit).layer(stack);
        let stack = Maybe::from(shed).layer(stack);
        let stack = Maybe::from(parts.deadline.part.clone()).layer(stack);
        Self { stack }
    }
}

impl<S, K, P, H, A, B, C, D> Service<Request<A>> for HttpServerService<S, K, P, H>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    K: KeySource,
    K::Key: Hash,
    P: Fn(&HeaderMap, &Extensions) -> Priority,
    H: Hold<Response<B>, Held<bulkhead::Permit> = Response<C>>
        + Hold<Response<C>, Held<adaptive::Permit> = Response<D>>,
    D: From<Bytes>,
{
    type Response = Response<D>;
    type Error = Error<S::Error>;
    type Future = HttpServerFuture<<Outermost<S, K, P, H> as Service<Request<A>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        HttpServerFuture {
            outermost: self.stack.call(request),
        }
    }
}

impl<F: Future> Future for HttpServerFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().outermost.poll(cx)
    }
}
