//! A body for error answers that have none.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Code, Problem};

/// Gives every error answer without a body a problem as its body.
///
/// Routers answer an unknown path with a bare 404 and a wrong method with a bare 405. Answers that have
/// a body or a media type are left alone, as are statuses without a [`Code`]; other headers, such as
/// `Allow`, stay.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use msf_core::{assert_problem, problem::{Code, FillProblemLayer}, testing::TestResponse};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), http::Error> {
/// let service = ServiceBuilder::new()
///     .layer(FillProblemLayer::new())
///     .service_fn(|_request: Request<()>| async {
///         Response::builder().status(404).body(Full::<Bytes>::default())
///     });
///
/// let response = TestResponse::read(service.oneshot(Request::new(())).await?).await;
/// assert_problem!(response, Code::NotFound);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct FillProblemLayer;

/// The service of [`FillProblemLayer`].
#[derive(Clone, Copy, Debug)]
pub struct FillProblem<S> {
    inner: S,
}

pin_project! {
    /// The response of [`FillProblem`].
    #[derive(Debug)]
    pub struct FillProblemFuture<F> {
        #[pin]
        inner: F,
    }
}

impl FillProblemLayer {
    /// The layer; it has nothing to set.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for FillProblemLayer {
    type Service = FillProblem<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FillProblem { inner }
    }
}

impl<S, Q, B> Service<Request<Q>> for FillProblem<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body + From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = FillProblemFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        FillProblemFuture {
            inner: self.inner.call(request),
        }
    }
}

impl<F, B, E> Future for FillProblemFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body + From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(match missing(&response) {
            Some(code) => filled(response, code),
            None => response,
        }))
    }
}

/// The code of an error answer that says nothing by itself.
fn missing<B: Body>(response: &Response<B>) -> Option<Code> {
    let is_bare =
        response.body().is_end_stream() && !response.headers().contains_key(header::CONTENT_TYPE);
    if is_bare {
        Code::from_status(response.status())
    } else {
        None
    }
}

fn filled<B: From<Bytes>>(response: Response<B>, code: Code) -> Response<B> {
    let (mut head, _empty) = response.into_parts();
    let (problem, body) = Problem::new(code).into_response().into_parts();
    // The router may have said `content-length: 0` of the body that it did not have.
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.extend(problem.headers);
    head.extensions.extend(problem.extensions);
    Response::from_parts(head, body)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tower::ServiceExt;

    use super::*;

    async fn through(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        let service = FillProblemLayer::new().layer(tower::service_fn(|_request: Request<()>| {
            let response = response.clone();
            async { Ok::<_, std::convert::Infallible>(response) }
        }));
        service.oneshot(Request::new(())).await.unwrap()
    }

    #[tokio::test]
    async fn a_bare_error_gets_a_body_and_keeps_its_headers() {
        let bare = Response::builder()
            .status(405)
            .header("allow", "GET")
            .header("content-length", "0")
            .body(Full::default())
            .unwrap();
        let response = through(bare).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert!(!response.headers().contains_key("content-length"));
    }

    #[tokio::test]
    async fn what_has_a_body_or_is_no_error_is_left_alone() {
        for (status, body) in [
            (200, ""),
            (204, ""),
            (418, ""),
            (404, "gone fishing"),
            (500, "x"),
        ] {
            let plain = Response::builder()
                .status(status)
                .body(Full::from(body))
                .unwrap();
            let response = through(plain).await;
            assert!(!response.headers().contains_key("content-type"), "{status}");
        }
    }
}
