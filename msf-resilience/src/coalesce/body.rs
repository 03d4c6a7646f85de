//! Bodies: gathered for everybody, or passed on to the one who called.

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// A body in memory, which clones share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub(super) data: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

pin_project! {
    /// The body of an answer behind an answering [`CoalesceLayer`](super::CoalesceLayer): that of the service inside, or
    /// bytes that it gave for several callers.
    pub struct CoalescedBody<B: Body> {
        read: VecDeque<Bytes>,
        trailers: Option<HeaderMap>,
        error: Option<B::Error>,
        #[pin]
        inner: Option<B>,
        rest: Option<Pin<Box<B>>>,
    }
}

impl<B: Body> CoalescedBody<B> {
    /// The body of the service inside, untouched.
    pub(super) const fn passing(inner: B) -> Self {
        Self {
            read: VecDeque::new(),
            trailers: None,
            error: None,
            inner: Some(inner),
            rest: None,
        }
    }

    pub(super) fn whole(whole: Whole) -> Self {
        let data = Some(whole.data).filter(|data| !data.is_empty());
        Self {
            read: data.into_iter().collect(),
            trailers: whole.trailers,
            error: None,
            inner: None,
            rest: None,
        }
    }
}

/// Reads a body for several callers, up to a bound.
pub(super) struct Gather<B: Body> {
    /// Gone once it has been read.
    body: Option<Pin<Box<B>>>,
    read: VecDeque<Bytes>,
    left: usize,
}

/// What came of reading.
pub(super) enum Gathered<B: Body> {
    Whole(Whole),
    /// Above the bound, too slow, or broken: for the leader alone.
    Part(CoalescedBody<B>, Why),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    TooLong,
    TooSlow,
    Broken,
}

impl<B: Body<Data = Bytes>> Gather<B> {
    pub(super) fn new(body: B, bound: usize) -> Self {
        Self {
            body: Some(Box::pin(body)),
            read: VecDeque::new(),
            left: bound,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Gathered<B>> {
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Pending;
            };
            match ready!(body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(Gathered::Whole(self.whole(None))),
                Some(Err(error)) => return Poll::Ready(self.part(Some(error), Why::Broken)),
                Some(Ok(frame)) => match frame.into_data() {
                    // Or else a body of nothing but such frames would grow without bound.
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => {
                        let left = self.left.checked_sub(data.len());
                        self.read.push_back(data);
                        let Some(left) = left else {
                            return Poll::Ready(self.part(None, Why::TooLong));
                        };
                        self.left = left;
                    }
                    Err(frame) => {
                        // Trailers are the last frame, so nothing is lost if they end the body.
                        let trailers = frame.into_trailers().ok();
                        return Poll::Ready(Gathered::Whole(self.whole(trailers)));
                    }
                },
            }
        }
    }

    /// Ends it with what has been read, because it takes too long.
    pub(super) fn give_up(&mut self) -> Gathered<B> {
        self.part(None, Why::TooSlow)
    }

    fn whole(&mut self, trailers: Option<HeaderMap>) -> Whole {
        let data = if self.read.len() <= 1 {
            self.read.pop_front().unwrap_or_default()
        } else {
            let length = self.read.iter().map(Bytes::len).sum();
            let mut data = BytesMut::with_capacity(length);
            self.read
                .iter()
                .for_each(|part| data.extend_from_slice(part));
            data.freeze()
        };
        Whole { data, trailers }
    }

    fn part(&mut self, error: Option<B::Error>, why: Why) -> Gathered<B> {
        let body = CoalescedBody {
            read: mem::take(&mut self.read),
            trailers: None,
            // After an error there is no rest worth reading.
            rest: self.body.take().filter(|_| error.is_none()),
            error,
            inner: None,
        };
        Gathered::Part(body, why)
    }
}

impl<B: Body<Data = Bytes>> Body for CoalescedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(data) = this.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(inner) = this.inner.as_pin_mut() {
            return inner.poll_frame(cx);
        }
        match this.rest {
            Some(rest) => rest.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.trailers.is_none()
            && self.error.is_none()
            && self.inner.as_ref().is_none_or(Body::is_end_stream)
            && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().map(|data| data.len() as u64).sum::<u64>();
        let rest = match (&self.inner, &self.rest) {
            (Some(inner), _) => inner.size_hint(),
            (None, Some(rest)) => rest.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        // The upper bound first: a lower one above it panics.
        if self.error.is_none() {
            if let Some(upper) = rest.upper() {
                hint.set_upper(read.saturating_add(upper));
            }
            hint.set_lower(read.saturating_add(rest.lower()));
        }
        hint
    }
}

impl<B: Body> fmt::Debug for CoalescedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalescedBody").finish_non_exhaustive()
    }
}
