//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    future::Future,
    hash::Hash,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use msf_core::problem::Problem;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    decision::Allowed, error::Error, future::ResponseFuture, limiter::RateLimiter,
    service::RateLimitService,
};

/// Puts a limit before an HTTP service; a request above it is answered with problem+json.
///
/// Every answer to a request with a key carries `RateLimit` and `RateLimit-Policy`. The error type stays that of the
/// service inside, so it drops into `axum::Router::layer`:
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::rate_limit::{Quota, RateLimitLayer, RateLimiter};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder(Quota::per_minute(1)).name("everyone").build()?;
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(RateLimitLayer::answering(limiter, |_: &Request<Body>| Some(())));
///
/// let allowed = app.clone().oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(allowed.status(), 200);
/// assert_eq!(allowed.headers()["ratelimit"], r#""everyone";r=0;t=60"#);
///
/// let limited = app.oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(limited.status(), 429);
/// assert_eq!(limited.headers()["retry-after"], "60");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringRateLimitLayer<K, F> {
    limiter: RateLimiter<K>,
    key: F,
}

/// A service behind a limit that answers. Made by [`AnsweringRateLimitLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringRateLimitService<S, K, F> {
    typed: RateLimitService<S, K, F>,
}

pin_project! {
    /// Future of [`AnsweringRateLimitService`].
    ///
    /// The request was counted when the future was made; dropping it gives nothing back.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F> {
        #[pin]
        typed: ResponseFuture<F>,
        allowed: Option<Allowed>,
    }
}

impl<K, F> AnsweringRateLimitLayer<K, F> {
    pub(super) const fn new(limiter: RateLimiter<K>, key: F) -> Self {
        Self { limiter, key }
    }
}

impl<S, K, F: Clone> Layer<S> for AnsweringRateLimitLayer<K, F> {
    type Service = AnsweringRateLimitService<S, K, F>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringRateLimitService {
            typed: RateLimitService::new(inner, self.limiter.clone(), self.key.clone()),
        }
    }
}

impl<S, K, F, Req, B> Service<Req> for AnsweringRateLimitService<S, K, F>
where
    S: Service<Req, Response = Response<B>>,
    F: Fn(&Req) -> Option<K>,
    K: Hash,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.typed.inner_mut().poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.typed.check(&request) {
            Ok(allowed) => AnsweringFuture {
                typed: ResponseFuture::calling(self.typed.inner_mut().call(request)),
                allowed,
            },
            Err(limited) => AnsweringFuture {
                typed: ResponseFuture::limited(limited),
                allowed: None,
            },
        }
    }
}

impl<F, B, E> Future for AnsweringFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.typed.poll(cx)) {
            Ok(mut response) => {
                if let Some(allowed) = this.allowed {
                    allowed.write_to(response.headers_mut());
                }
                Ok(response)
            }
            Err(Error::Limited(limited)) => {
                let mut response: Response<B> = Problem::from(limited.clone()).into_response();
                limited.write_to(response.headers_mut());
                Ok(response)
            }
            Err(Error::Inner(error)) => Err(error),
        })
    }
}
