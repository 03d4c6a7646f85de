//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use msf_core::{
    metrics::{Metrics, MetricsError},
    problem::{Code, Problem},
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{error::Error, future::ResponseFuture, layer::DeadlineLayer, service::DeadlineService};

/// Reads and enforces the deadlines of HTTP requests; answers with problem+json, status 504, when one has passed.
///
/// The error type stays that of the service inside, so it drops into `axum::Router::layer`:
///
/// ```
/// use std::{future::pending, time::Duration};
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::deadline::DeadlineLayer;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app: Router = Router::new()
///     .route("/", get(pending::<()>))
///     .layer(DeadlineLayer::answering().max(Duration::from_secs(30)));
///
/// let request = Request::builder().header("grpc-timeout", "250m").body(Body::empty())?;
/// assert_eq!(app.oneshot(request).await?.status(), 504);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringDeadlineLayer {
    typed: DeadlineLayer,
}

/// A service that answers when the deadline of a request has passed. Made by [`AnsweringDeadlineLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringDeadlineService<S> {
    typed: DeadlineService<S>,
}

pin_project! {
    /// Future of [`AnsweringDeadlineService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F> {
        #[pin]
        typed: ResponseFuture<F>,
    }
}

impl AnsweringDeadlineLayer {
    pub(super) const fn new(typed: DeadlineLayer) -> Self {
        Self { typed }
    }

    /// As [`DeadlineLayer::default_timeout`].
    pub fn default_timeout(self, left: Duration) -> Self {
        Self::new(self.typed.default_timeout(left))
    }

    /// As [`DeadlineLayer::max`].
    pub fn max(self, left: Duration) -> Self {
        Self::new(self.typed.max(left))
    }

    /// As [`DeadlineLayer::inject`].
    pub fn inject(self, margin: Duration) -> Self {
        Self::new(self.typed.inject(margin))
    }

    /// As [`DeadlineLayer::metrics`].
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        Ok(Self::new(self.typed.metrics(metrics, name)?))
    }

    /// As [`DeadlineLayer::reconfigure`].
    pub fn reconfigure(&self, default_timeout: Option<Duration>, max: Option<Duration>) {
        self.typed.reconfigure(default_timeout, max);
    }
}

impl<S> Layer<S> for AnsweringDeadlineLayer {
    type Service = AnsweringDeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringDeadlineService {
            typed: self.typed.layer(inner),
        }
    }
}

impl<S, A, B> Service<Request<A>> for AnsweringDeadlineService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.typed.inner_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        AnsweringFuture {
            typed: self.typed.call(request),
        }
    }
}

impl<F, B, E> Future for AnsweringFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.project().typed.poll(cx)) {
            Ok(response) => Ok(response),
            Err(Error::Exceeded(_)) => Ok(Problem::new(Code::DeadlineExceeded).into_response()),
            Err(Error::Inner(error)) => Err(error),
        })
    }
}
