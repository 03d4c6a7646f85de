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
    problem::Problem,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    error::Error,
    future::ResponseFuture,
    layer::{RequestDeadline, TimeoutLayer},
    service::TimeoutService,
};

/// Ends calls that take too long with problem+json, status 504.
///
/// The error type stays that of the service inside, so it drops into `axum::Router::layer`:
///
/// ```
/// use std::{future::pending, time::Duration};
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::timeout::TimeoutLayer;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app: Router = Router::new()
///     .route("/", get(pending::<()>))
///     .layer(TimeoutLayer::answering(Duration::from_secs(2)));
///
/// let response = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(response.status(), 504);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringTimeoutLayer {
    typed: TimeoutLayer<RequestDeadline>,
}

/// A service whose calls have a timeout, and answer when it is over. Made by [`AnsweringTimeoutLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringTimeoutService<S> {
    typed: TimeoutService<S, RequestDeadline>,
}

pin_project! {
    /// Future of [`AnsweringTimeoutService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F> {
        #[pin]
        typed: ResponseFuture<F>,
    }
}

impl AnsweringTimeoutLayer {
    pub(super) const fn new(typed: TimeoutLayer<RequestDeadline>) -> Self {
        Self { typed }
    }

    /// As [`TimeoutLayer::metrics`].
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when they cannot be registered.
    pub fn metrics(self, metrics: &Metrics, name: &str) -> Result<Self, MetricsError> {
        Ok(Self::new(self.typed.metrics(metrics, name)?))
    }

    /// As [`TimeoutLayer::reconfigure`].
    pub fn reconfigure(&self, after: Duration) {
        self.typed.reconfigure(after);
    }
}

impl<S> Layer<S> for AnsweringTimeoutLayer {
    type Service = AnsweringTimeoutService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringTimeoutService {
            typed: self.typed.layer(inner),
        }
    }
}

impl<S, A, B> Service<Request<A>> for AnsweringTimeoutService<S>
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
            Err(Error::Elapsed(elapsed)) => Ok(Problem::from(elapsed).into_response()),
            Err(Error::Inner(error)) => Err(error),
        })
    }
}
