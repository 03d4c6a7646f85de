//! The face that answers: for stacks whose errors are responses, such as axum's.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use msf_core::{classify::Http, problem::Problem};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{handle::HttpClient, service::HttpClientService};
use crate::pipeline::error::Error;

/// A client's pipeline whose own errors are answers with problem+json.
///
/// Made by [`HttpClient::answering`]. The error type stays that of the service inside, so it drops into
/// `axum::Router::layer`.
#[derive(Clone, Debug)]
#[must_use]
pub struct AnsweringHttpClient<C = Http>(pub(super) HttpClient<C>);

/// A service behind a pipeline that answers. Made by [`AnsweringHttpClient`].
#[derive(Clone, Debug)]
pub struct AnsweringHttpClientService<S>(S);

pin_project! {
    /// Future of [`AnsweringHttpClientService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AnsweringFuture<F> {
        #[pin]
        typed: F,
    }
}

impl<S, C: Clone> Layer<S> for AnsweringHttpClient<C> {
    type Service = AnsweringHttpClientService<HttpClientService<S, C>>;

    fn layer(&self, inner: S) -> Self::Service {
        AnsweringHttpClientService(self.0.layer(inner))
    }
}

impl<S, Req, B, E> Service<Req> for AnsweringHttpClientService<S>
where
    S: Service<Req, Response = Response<B>, Error = Error<E>>,
    B: From<Bytes>,
{
    type Response = Response<B>;
    type Error = E;
    type Future = AnsweringFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        match ready!(self.0.poll_ready(cx)) {
            // Only the service inside is ever not ready to be called; a part that refuses is.
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(error.into_problem().map(drop)),
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        AnsweringFuture {
            typed: self.0.call(request),
        }
    }
}

impl<F, B, E> Future for AnsweringFuture<F>
where
    F: Future<Output = Result<Response<B>, Error<E>>>,
    B: From<Bytes>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.project().typed.poll(cx));
        Poll::Ready(outcome.or_else(|error| error.into_problem().map(Problem::into_response)))
    }
}
