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
};
use crate::{
    Through,
    adaptive::{AdaptiveLayer, AdaptiveService},
    bulkhead::{BulkheadLayer, BulkheadService, UntilResponse, Wait},
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

type Bounded<S> = With<BulkheadService<Enter<S>, Wait, UntilResponse>, Enter<S>>;
type Adapted<S> = With<AdaptiveService<Bounded<S>, Through<Http>, UntilResponse>, Bounded<S>>;
type Limited<S, K> = With<KeyedLimit<Adapted<S>, K>, Adapted<S>>;
type Sheltered<S, K, P> = With<Shed<Limited<S, K>, P>, Limited<S, K>>;
type Outermost<S, K, P> = With<DeadlineService<Sheltered<S, K, P>>, Sheltered<S, K, P>>;

/// A handler behind a pipeline, before its errors become answers. Made by [`HttpServer`](super::HttpServer).
#[derive(Clone, Debug)]
pub struct HttpServerService<S, K: KeySource = Everyone, P = PriorityFn> {
    stack: Outermost<S, K, P>,
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

impl<S, K: KeySource + Clone, P: Clone> HttpServerService<S, K, P> {
    pub(super) fn new(inner: S, parts: &Parts<K, P>) -> Self {
        let bulkhead = parts.bulkhead.part.clone();
        let bulkhead = bulkhead.map(|bulkhead| BulkheadLayer::new(bulkhead).waiting());
        let adaptive = parts.adaptive.part.clone();
        let adaptive =
            adaptive.map(|limit| AdaptiveLayer::new(limit).classify(Through(Http::default())));
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

        let stack = Maybe::from(bulkhead).layer(Enter(inner));
        let stack = Maybe::from(adaptive).layer(stack);
        let stack = Maybe::from(limit).layer(stack);
        let stack = Maybe::from(shed).layer(stack);
        let stack = Maybe::from(parts.deadline.part.clone()).layer(stack);
        Self { stack }
    }
}

impl<S, K, P, A, B> Service<Request<A>> for HttpServerService<S, K, P>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    K: KeySource,
    K::Key: Hash,
    P: Fn(&HeaderMap, &Extensions) -> Priority,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = Error<S::Error>;
    type Future = HttpServerFuture<<Outermost<S, K, P> as Service<Request<A>>>::Future>;

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
