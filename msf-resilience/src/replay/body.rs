//! The body as it is sent.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use msf_core::BoxError;
use pin_project_lite::pin_project;

use super::{
    kept::{Kept, Source},
    shared::{Reader, Shared},
};

pin_project! {
    /// A body, or one reading of a body that is kept.
    ///
    /// See the [module documentation](super) for an example.
    pub struct ReplayBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Once {
            #[pin]
            body: B,
        },
        Memory {
            bytes: Option<Bytes>,
        },
        Shared {
            reader: Reader<B>,
        },
    }
}

impl<B> ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// A body that is sent once, as it is.
    pub const fn once(body: B) -> Self {
        Self {
            kind: Kind::Once { body },
        }
    }

    /// Splits a body into the one that is sent now and, unless it is known to be longer than `limit` bytes, what is kept of
    /// it.
    pub fn keep(mut body: B, limit: usize) -> (Self, Option<Kept<B>>) {
        if body.is_end_stream() {
            return Self::kept_in_memory(None);
        }
        let hint = body.size_hint();
        if hint.lower() > limit as u64 {
            return (Self::once(body), None);
        }
        if hint.exact().is_none() {
            return Self::kept_shared(Shared::new(body, limit));
        }
        // A waker that does nothing is replaced when the body is read: a body wakes who polled it last.
        let first = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        match first {
            Poll::Pending => Self::kept_shared(Shared::new(body, limit)),
            Poll::Ready(None) => Self::kept_in_memory(None),
            Poll::Ready(Some(Ok(frame))) => {
                let frame = as_bytes(frame);
                match frame.data_ref() {
                    Some(data) if body.is_end_stream() && data.len() <= limit => {
                        Self::kept_in_memory(frame.into_data().ok())
                    }
                    _ => Self::kept_shared(Shared::begun(body, limit, &frame)),
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let reader = Reader::first(Shared::failed(error.into()));
                (Self::shared(reader), None)
            }
        }
    }

    pub(super) const fn in_memory(bytes: Option<Bytes>) -> Self {
        Self {
            kind: Kind::Memory { bytes },
        }
    }

    pub(super) const fn shared(reader: Reader<B>) -> Self {
        Self {
            kind: Kind::Shared { reader },
        }
    }

    fn kept_in_memory(bytes: Option<Bytes>) -> (Self, Option<Kept<B>>) {
        let kept = Kept(Source::Memory(bytes.clone()));
        (Self::in_memory(bytes), Some(kept))
    }

    fn kept_shared(shared: Shared<B>) -> (Self, Option<Kept<B>>) {
        let reader = Reader::first(shared);
        let kept = Kept(Source::Shared(reader.source()));
        (Self::shared(reader), Some(kept))
    }
}

/// An empty body.
impl<B> Default for ReplayBody<B> {
    fn default() -> Self {
        Self {
            kind: Kind::Memory { bytes: None },
        }
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Once { body } => body
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map(as_bytes).map_err(Into::into))),
            KindProjection::Memory { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            KindProjection::Shared { reader } => reader.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Once { body } => body.is_end_stream(),
            Kind::Memory { bytes } => bytes.is_none(),
            Kind::Shared { reader } => reader.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Once { body } => body.size_hint(),
            Kind::Memory { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Shared { reader } => reader.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplayBody")
            .field(&self.size_hint())
            .finish()
    }
}

/// What is in memory stays there, and what was not kept is not boxed again.
impl<B> From<ReplayBody<B>> for msf_core::body::Body
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: ReplayBody<B>) -> Self {
        match body.kind {
            Kind::Once { body } => Self::new(body),
            Kind::Memory { bytes } => bytes.unwrap_or_default().into(),
            Kind::Shared { reader } => Self::new(ReplayBody::shared(reader)),
        }
    }
}

pub(super) fn as_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    // Without a copy where the data are `Bytes`.
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}
