//! [`ResponseBody`], which keeps the span open until the response has gone out.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{exchange::Exchange, outcome::Outcome};

pin_project! {
    /// The response body of [`Trace`](super::Trace): the inner body, polled inside the request's
    /// span and context.
    ///
    /// Span and access event end with the body: with its last frame, its error, or its drop.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, it writes the access event with `outcome = "cancelled"`. Responses
    /// that have no content on the wire (to HEAD, 1xx, 204, 304) count as completed all the same.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        // Behind `inner`, so that the event comes after all that the inner body's drop logs.
        exchange: Option<Exchange>,
    }
}

impl<B> ResponseBody<B> {
    /// A body that nothing is known about, of a future that was polled after its end.
    pub(super) fn untraced(inner: B) -> Self {
        Self {
            inner,
            exchange: None,
        }
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn traced(inner: B, mut exchange: Exchange) -> Self {
        if inner.is_end_stream() {
            exchange.end(Outcome::Completed);
            return Self::untraced(inner);
        }
        exchange.sent(0, is_drained(&inner));
        Self {
            inner,
            exchange: Some(exchange),
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
        let Some(exchange) = this.exchange else {
            return this.inner.poll_frame(cx);
        };
        let frame = ready!(exchange.within(|| this.inner.as_mut().poll_frame(cx)));
        let ended = match &frame {
            None => Some(Outcome::Completed),
            Some(Err(_)) => Some(Outcome::Failed),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                exchange.sent(bytes, is_drained(&*this.inner));
                this.inner.is_end_stream().then_some(Outcome::Completed)
            }
        };
        if let Some(outcome) = ended
            && let Some(exchange) = this.exchange.take()
        {
            exchange.end(outcome);
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
    /// An empty body that belongs to no request.
    fn default() -> Self {
        Self::untraced(B::default())
    }
}

/// Whether all data is out. A server that announced the length may then drop the body without
/// asking for its end.
fn is_drained<B: Body>(body: &B) -> bool {
    body.size_hint().exact() == Some(0)
}
