//! A body that can break off.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use msf_core::BoxError;
use pin_project_lite::pin_project;

use super::{error::Injected, kind::Fault};

pin_project! {
    /// The body of an answer behind an answering [`FaultLayer`](super::FaultLayer): whole, or broken off midway.
    ///
    /// A body of known length gives half of its bytes and then the error [`Injected`]; of unknown length, half of its
    /// first frame. A server that meets the error closes the connection, as it does when a process dies at this point.
    #[derive(Debug)]
    pub struct FaultBody<B> {
        #[pin]
        inner: B,
        cut: Cut,
    }
}

/// Where a body breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Nowhere,
    InTheFirstFrame,
    After(u64),
    /// The error is next.
    Done,
    Ended,
}

impl<B> FaultBody<B> {
    pub(super) const fn passing(inner: B) -> Self {
        Self {
            inner,
            cut: Cut::Nowhere,
        }
    }

    pub(super) const fn breaking_off(inner: B) -> Self {
        Self {
            inner,
            cut: Cut::InTheFirstFrame,
        }
    }
}

impl<B> Body for FaultBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if *this.cut == Cut::Nowhere {
            return this.inner.poll_frame(cx).map_err(Into::into);
        }
        if *this.cut == Cut::InTheFirstFrame
            && let Some(length) = this.inner.size_hint().exact()
        {
            *this.cut = Cut::After(length / 2);
        }
        if *this.cut == Cut::Ended {
            return Poll::Ready(None);
        }
        if matches!(*this.cut, Cut::Done | Cut::After(0)) {
            *this.cut = Cut::Ended;
            return Poll::Ready(Some(Err(Injected::new(Fault::Reset).into())));
        }
        let frame = ready!(this.inner.poll_frame(cx)).transpose();
        let data = frame
            .map_err(Into::into)?
            .and_then(|frame| frame.into_data().ok());
        let Some(mut data) = data else {
            *this.cut = Cut::Ended;
            return Poll::Ready(Some(Err(Injected::new(Fault::Reset).into())));
        };
        let length = data.len() as u64;
        let left = match *this.cut {
            Cut::After(left) => left,
            _ => length / 2,
        };
        *this.cut = match (*this.cut, left.checked_sub(length)) {
            (Cut::After(_), Some(left)) => Cut::After(left),
            _ => Cut::Done,
        };
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self.cut {
            Cut::Nowhere => self.inner.is_end_stream(),
            Cut::Ended => true,
            Cut::InTheFirstFrame | Cut::After(_) | Cut::Done => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
