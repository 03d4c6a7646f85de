//! A body that a copy follows.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body};

use super::running::Copy;

/// Passes a body on as it comes, and keeps what passes for a copy, up to a limit. A body that breaks off or is dropped
/// has no copy.
pub(super) struct Tee {
    inner: Body,
    /// `None` when the copy was sent or given up.
    copy: Option<(Copy, BytesMut)>,
    max: usize,
}

impl Tee {
    pub(super) fn new(inner: Body, copy: Copy, max: usize) -> Self {
        Self {
            inner,
            copy: Some((copy, BytesMut::new())),
            max,
        }
    }

    fn keep(&mut self, data: &Bytes) {
        let Some((_, kept)) = &mut self.copy else {
            return;
        };
        if kept.len() + data.len() <= self.max {
            kept.extend_from_slice(data);
        } else if let Some((copy, _)) = self.copy.take() {
            copy.too_large();
        }
    }

    fn end(&mut self) {
        if let Some((copy, kept)) = self.copy.take() {
            copy.send(kept.freeze());
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        match &frame {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.keep(data);
                }
                // Whoever knows the length does not ask for an end.
                if this.inner.is_end_stream() {
                    this.end();
                }
            }
            Poll::Ready(Some(Err(_))) => this.copy = None,
            Poll::Ready(None) => this.end(),
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
