//! A body that holds something until it ends.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A body with a guard that is dropped when the body ends, fails or is dropped itself, whichever is first.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use http_body_util::{BodyExt, Full};
    /// use msf_resilience::bulkhead::Bulkhead;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bulkhead = Bulkhead::builder("reports").max_concurrent(1).build()?;
    /// let response = Response::new(Full::new(Bytes::from("long report")));
    /// let response = bulkhead.try_acquire()?.attach(response);
    ///
    /// assert!(bulkhead.try_acquire().is_err());
    /// response.into_body().collect().await?;
    /// assert!(bulkhead.try_acquire().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct GuardedBody<B, G> {
        #[pin]
        body: B,
        guard: Option<G>,
    }
}

impl<B, G> GuardedBody<B, G> {
    /// A body that holds `guard`.
    pub const fn new(body: B, guard: G) -> Self {
        Self {
            body,
            guard: Some(guard),
        }
    }

    /// Puts the guard on the body of a response.
    pub fn attach(response: Response<B>, guard: G) -> Response<Self> {
        response.map(|body| Self::new(body, guard))
    }

    /// Whether the guard is still held.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.guard.is_some()
    }
}

/// A body in memory with nothing to guard, as answers of layers have it.
impl<B: From<Bytes>, G> From<Bytes> for GuardedBody<B, G> {
    fn from(bytes: Bytes) -> Self {
        Self {
            body: bytes.into(),
            guard: None,
        }
    }
}

impl<B: Body, G> Body for GuardedBody<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        // Who reads may stop at the end of the stream without asking for one frame more.
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            drop(this.guard.take());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
