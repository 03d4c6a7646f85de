//! The body of an answer, which counts as in flight until its end.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::service::Picked;

pin_project! {
    /// The body of an answer. Its call is in flight until the body has ended, has failed or is dropped.
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        picked: Option<Picked>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn new(inner: B, picked: Picked) -> Self {
        let has_ended = inner.is_end_stream();
        Self {
            inner,
            picked: (!has_ended).then_some(picked),
        }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = this.inner.as_mut().poll_frame(cx);
        let has_ended = match &frame {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => this.inner.is_end_stream(),
            Poll::Ready(_) => true,
        };
        if has_ended {
            *this.picked = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("picked", &self.picked)
            .finish_non_exhaustive()
    }
}
