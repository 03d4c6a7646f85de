//! A panic becomes an answer.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Code, Problem};

/// Answers with [`Code::Internal`] when the service panics; what the panic said goes to the log.
///
/// The server catches panics too, as the last resort. Put this layer inside the trace and metrics layers, so
/// that they see an answer and the log line has the ids of the request.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use msf_core::{assert_problem, problem::{CatchPanicLayer, Code}, testing::TestResponse};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// async fn broken(_request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
///     panic!("off by one")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Infallible> {
/// let service = ServiceBuilder::new().layer(CatchPanicLayer::new()).service_fn(broken);
/// let response = TestResponse::read(service.oneshot(Request::new(())).await?).await;
/// assert_problem!(response, Code::Internal);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct CatchPanicLayer;

/// The service of [`CatchPanicLayer`].
#[derive(Clone, Copy, Debug)]
pub struct CatchPanic<S> {
    inner: S,
}

pin_project! {
    /// The response of [`CatchPanic`].
    #[derive(Debug)]
    pub struct CatchPanicFuture<F> {
        #[pin]
        // None when `call` itself panicked.
        inner: Option<Caught<F>>,
        problem: Option<Problem>,
    }
}

pin_project! {
    /// Runs a future and turns its panic into [`Panicked`].
    #[derive(Debug)]
    pub(crate) struct Caught<F> {
        #[pin]
        future: F,
    }
}

/// What a panic said; for the log.
#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
pub(crate) struct Panicked(String);

impl CatchPanicLayer {
    /// The layer; it has nothing to set.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CatchPanic { inner }
    }
}

impl<S, Q, B> Service<Q> for CatchPanic<S>
where
    S: Service<Q, Response = Response<B>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = CatchPanicFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(future) => CatchPanicFuture {
                inner: Some(Caught::new(future)),
                problem: None,
            },
            Err(payload) => CatchPanicFuture {
                inner: None,
                problem: Some(Panicked::new(payload.as_ref()).into()),
            },
        }
    }
}

impl<F, B, E> Future for CatchPanicFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let problem = match this.inner.as_pin_mut() {
            Some(inner) => match ready!(inner.poll(cx)) {
                Ok(outcome) => return Poll::Ready(outcome),
                Err(panicked) => panicked.into(),
            },
            None => this
                .problem
                .take()
                .expect("a future is not polled after it is ready"),
        };
        Poll::Ready(Ok(problem.into_response()))
    }
}

impl<F> Caught<F> {
    pub(crate) const fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        // The future is not polled again after a panic and is dropped with its request, so no broken
        // state of it can be seen. What it shares with other requests is the handler's own concern, as
        // it is when a thread panics.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panicked::new(payload.as_ref()))),
        }
    }
}

impl Panicked {
    pub(crate) fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)");
        Self(message.to_owned())
    }
}

impl From<Panicked> for Problem {
    fn from(panicked: Panicked) -> Self {
        Self::new(Code::Internal).with_log_detail(format!("the handler {panicked}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_that_hides_its_message() {
        let problem: Problem = Caught::new(async { panic!("secret {}", 7) })
            .await
            .map(|(): ()| ())
            .unwrap_err()
            .into();
        assert_eq!(problem.code(), Code::Internal);
        assert_eq!(problem.detail(), None);
        assert_eq!(problem.log_detail(), Some("the handler panicked: secret 7"));
    }

    #[tokio::test]
    async fn without_a_panic_nothing_changes() {
        assert_eq!(Caught::new(async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_panic_in_call_is_an_answer_too() {
        use http_body_util::Full;
        use tower::ServiceExt;

        let service = CatchPanicLayer::new().layer(tower::service_fn(|()| {
            if true {
                panic!("in call");
            }
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(Full::<
                Bytes,
            >::default(
            ))))
        }));
        assert_eq!(service.oneshot(()).await.unwrap().status(), 500);
    }
}
