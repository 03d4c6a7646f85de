//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    fmt,
    future::Future,
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
    error::{Error, SharedError},
    layer::{OnFailure, SharedRateLimitLayer},
    service::{ResponseFuture, SharedRateLimitService},
};
use crate::rate_limit::decision::Refused;

/// Puts a shared limit before an HTTP service; a request above it is answered with problem+json.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use msf_resilience::rate_limit::{Quota, shared::{SharedRateLimitLayer, SharedRateLimiter}, store::MemoryStore};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = SharedRateLimiter::builder(MemoryStore::new(100), Quota::per_minute(1)).build()?;
/// let key = |_: &Request<Body>| Some("everyone".to_owned());
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(SharedRateLimitLayer::answering(limiter, key));
///
/// let allowed = app.clone().oneshot(Request::new(Body::empty())).await?;
/// assert_eq!(allowed.headers()["ratelimit"], r#""default";r=0;t=60"#);
/// assert_eq!(app.oneshot(Request::new(Body::empty())).await?.status(), 429);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringSharedLayer<F> {
    typed: SharedRateLimitLayer<F>,
}

/// A service behind a shared limit that answers. Made by [`AnsweringSharedLayer`].
#[derive(Clone, Debug)]
pub struct AnsweringSharedService<S, F> {
    typed: SharedRateLimitService<S, F>,
}

pin_project! {
    /// Future of [`AnsweringSharedService`].
    ///
    /// Dropped before the store has answered, it leaves open whether the request was counted.
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        typed: ResponseFuture<S, Req>,
    }
}

impl<F> AnsweringSharedLayer<F> {
    pub(super) const fn new(typed: SharedRateLimitLayer<F>) -> Self {
        Self { typed }
    }

    /// What happens when the store does not decide. Default [`OnFailure::Allow`].
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self {
            typed: self.typed.on_failure(on_failure),
        }
    }
}

impl<S, F: Clone> Layer<S> for AnsweringSharedLayer<F> {
    type Service = AnsweringSharedService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringSharedService {
            typed: self.typed.layer(inner),
        }
    }
}

impl<S, F, Req, B> Service<Req> for AnsweringSharedService<S, F>
where
    S: Service<Req, Response = Response<B>> + Clone,
    F: Fn(&Req) -> Option<String>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = AnsweringFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.typed.inner_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture {
            typed: self.typed.call(request),
        }
    }
}

impl<S, Req, B> Future for AnsweringFuture<S, Req>
where
    S: Service<Req, Response = Response<B>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        Poll::Ready(match ready!(this.typed.as_mut().poll(cx)) {
            Ok(mut response) => {
                if let Some(allowed) = this.typed.allowed() {
                    allowed.write_to(response.headers_mut());
                }
                Ok(response)
            }
            Err(Error::Inner(error)) => Err(error),
            Err(Error::Limited(error)) => {
                let limited = match &error {
                    SharedError::Refused(
                        Refused::Limited(limited) | Refused::QueueFull(limited),
                    ) => Some(limited.clone()),
                    SharedError::Refused(Refused::TooCostly(_)) | SharedError::Store(_) => None,
                };
                let mut response: Response<B> = Problem::from(error).into_response();
                if let Some(limited) = limited {
                    limited.write_to(response.headers_mut());
                }
                Ok(response)
            }
        })
    }
}

impl<S, Req> fmt::Debug for AnsweringFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringFuture").finish_non_exhaustive()
    }
}
