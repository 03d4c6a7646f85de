//! The response future.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{body::ResponseBody, label::End, track::Tracker};

pin_project! {
    /// Future of [`HttpMetrics`](super::HttpMetrics).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        tracker: Option<Tracker>,
        head_only: bool,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, tracker: Option<Tracker>, head_only: bool) -> Self {
        Self {
            inner,
            tracker,
            head_only,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(Tracker::enter(this.tracker, || this.inner.poll(cx)));
        let tracker = this.tracker.take();
        Poll::Ready(match result {
            Ok(response) => Ok(ResponseBody::wrap(response, tracker, *this.head_only)),
            Err(error) => {
                if let Some(tracker) = tracker {
                    tracker.finish(End::Error);
                }
                Err(error)
            }
        })
    }
}
