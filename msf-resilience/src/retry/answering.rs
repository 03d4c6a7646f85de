//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use msf_core::{
    classify::{Classify, Http},
    problem::Problem,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    error::Error,
    future::ResponseFuture,
    layer::RetryLayer,
    repeatable::{Idempotent, Repeatable},
    request::{HttpWith, Replay, ReplayHttp},
    service::RetryService,
};

/// Makes failed calls of an HTTP service again; its error stays that of the service inside.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, StatusCode};
/// use msf_resilience::{budget::Rule, retry::{Exhausted, RetryLayer, RetryPolicy}};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = RetryPolicy::builder("reports")
///     .budget_rule(Rule::concurrency(0.2, 1))
///     .exhausted(Exhausted::Refuse)
///     .build()?;
/// let budget = policy.budget().expect("its own").clone();
/// let app: Router = Router::new()
///     .route("/", get(|| async { StatusCode::BAD_GATEWAY }))
///     .layer(RetryLayer::answering(policy).map_body(Body::new));
///
/// let failed = app.clone().oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(failed.status(), 502);
///
/// let _used_up = budget.try_withdraw();
/// let refused = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(refused.status(), 503);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringRetryLayer<R = ReplayHttp, C = Http, P = Idempotent> {
    typed: RetryLayer<R, C, P>,
}

/// A service whose failed calls are made again, and that answers when the budget is used up. Made by
/// [`AnsweringRetryLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringRetryService<S, R, C, P> {
    typed: RetryService<S, R, C, P>,
}

pin_project! {
    /// Future of [`AnsweringRetryService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<S, Req, R, C>
    where
        S: Service<R::Request>,
        R: Replay<Req>,
    {
        #[pin]
        typed: ResponseFuture<S, Req, R, C>,
    }
}

impl AnsweringRetryLayer {
    pub(super) const fn new(typed: RetryLayer) -> Self {
        Self { typed }
    }
}

impl<C, P> AnsweringRetryLayer<ReplayHttp, C, P> {
    /// As [`RetryLayer::map_body`].
    pub fn map_body<F>(self, body: F) -> AnsweringRetryLayer<HttpWith<F>, C, P> {
        AnsweringRetryLayer {
            typed: self.typed.map_body(body),
        }
    }
}

impl<R, C, P> AnsweringRetryLayer<R, C, P> {
    /// As [`RetryLayer::classify`].
    pub fn classify<D>(self, classify: D) -> AnsweringRetryLayer<R, D, P> {
        AnsweringRetryLayer {
            typed: self.typed.classify(classify),
        }
    }

    /// As [`RetryLayer::retry_if`].
    pub fn retry_if<Q>(self, repeatable: Q) -> AnsweringRetryLayer<R, C, Q> {
        AnsweringRetryLayer {
            typed: self.typed.retry_if(repeatable),
        }
    }
}

impl<S, R: Clone, C: Clone, P: Clone> Layer<S> for AnsweringRetryLayer<R, C, P> {
    type Service = AnsweringRetryService<S, R, C, P>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringRetryService {
            typed: self.typed.layer(inner),
        }
    }
}

impl<S, R, C, P, Req, B> Service<Req> for AnsweringRetryService<S, R, C, P>
where
    S: Service<R::Request, Response = Response<B>> + Clone,
    R: Replay<Req> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
    P: Repeatable<Req>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S, Req, R, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.typed.inner_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture {
            typed: self.typed.call(request),
        }
    }
}

impl<S, Req, R, C, B> Future for AnsweringFuture<S, Req, R, C>
where
    S: Service<R::Request, Response = Response<B>>,
    R: Replay<Req>,
    C: Classify<S::Response, S::Error>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().typed.poll(cx)) {
            Ok(response) => Ok(response),
            Err(Error::BudgetExhausted(exhausted)) => Ok(Problem::from(exhausted).into_response()),
            Err(Error::Inner(error)) => Err(error),
        })
    }
}

impl<S, Req, R, C> fmt::Debug for AnsweringFuture<S, Req, R, C>
where
    S: Service<R::Request>,
    R: Replay<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.typed.fmt(f)
    }
}
