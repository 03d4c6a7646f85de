//! The response body: a request ends where its body ends.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{label::End, track::Tracker};

pin_project! {
    /// Body of the responses of [`HttpMetrics`](super::HttpMetrics).
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        tracker: Option<Tracker>,
        // Bytes still to come if their number is known.
        unsent: Option<u64>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn wrap(
        response: Response<B>,
        mut tracker: Option<Tracker>,
        head_only: bool,
    ) -> Response<Self> {
        let (head, inner) = response.into_parts();
        let unsent = content_length(&head.headers).or_else(|| inner.size_hint().exact());
        if let Some(tracker) = &mut tracker {
            tracker.answered(head.status, &head.extensions);
            // No server reads such a body, so dropping it unread is not giving up (RFC 9110
            // section 6.4.1).
            if head_only || is_bodiless(head.status) || unsent == Some(0) {
                tracker.settle(End::Complete);
            }
        }
        if inner.is_end_stream()
            && let Some(tracker) = tracker.take()
        {
            tracker.finish(End::Complete);
        }
        let body = Self {
            inner,
            tracker,
            unsent,
        };
        Response::from_parts(head, body)
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let inner = this.inner.as_mut();
        let frame = ready!(Tracker::enter(this.tracker, || inner.poll_frame(cx)));
        let end = match &frame {
            None => Some(End::Complete),
            Some(Err(_)) => Some(End::Body),
            Some(Ok(frame)) => {
                if let (Some(data), Some(unsent)) = (frame.data_ref(), this.unsent.as_mut()) {
                    *unsent = unsent.saturating_sub(data.remaining() as u64);
                }
                let last = frame.is_trailers() || this.inner.is_end_stream();
                last.then_some(End::Complete)
            }
        };
        if let Some(end) = end {
            if let Some(tracker) = this.tracker.take() {
                tracker.finish(end);
            }
        } else if *this.unsent == Some(0)
            && let Some(tracker) = this.tracker
        {
            // HTTP/1 servers drop a body once `content-length` bytes are written, without asking
            // for its end. Trailers may still follow, so it is not over yet.
            tracker.settle(End::Complete);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for ResponseBody<B> {
    /// A body that belongs to no request, for layers outside that answer on their own.
    fn default() -> Self {
        Self {
            inner: B::default(),
            tracker: None,
            unsent: None,
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
