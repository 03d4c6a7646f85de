//! The body type of requests and responses in a server.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::{
    BoxError,
    problem::{Code, Problem},
};

/// The body of a request that the server received, or of any response.
///
/// A received body is limited: more bytes than `server.body_limit` end it with
/// [`LengthLimitError`](http_body_util::LengthLimitError), and a client that sends nothing for
/// `server.body_timeout` ends it with a [`Problem`] of [`Code::RequestTimeout`].
///
/// ```
/// use http_body_util::BodyExt;
/// use msf_core::server::Body;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let body = Body::from("hello");
/// assert_eq!(body.collect().await?.to_bytes(), "hello");
/// # Ok(())
/// # }
/// ```
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Received(Box<Received>),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

/// A body that arrives over the network.
struct Received {
    body: Limited<Incoming>,
    timeout: Duration,
    /// Made at the first wait and kept, so that a body that is already there costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Body {
    /// A body of no bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Full(None))
    }

    /// Takes any body, boxing it unless it is of this type already.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        let same = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>();
        if let Some(same) = same.and_then(Option::take) {
            return same;
        }
        let body = body.expect("only a body of this type is taken out");
        Self(Kind::Boxed(body.map_err(Into::into).boxed_unsync()))
    }

    pub(super) fn received(body: Incoming, limit: usize, timeout: Duration) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self(Kind::Received(Box::new(Received {
            body: Limited::new(body, limit),
            timeout,
            timer: None,
            is_waiting: false,
        })))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.size_hint()).finish()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Received(received) => received.poll_frame(cx),
            Kind::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Received(received) => received.body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Received(received) => received.body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl Received {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.is_waiting = false;
            return Poll::Ready(frame);
        }
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !self.is_waiting {
            self.is_waiting = true;
            timer.as_mut().reset(crate::clock::now() + timeout);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let problem = Problem::new(Code::RequestTimeout)
                    .with_detail("the rest of the request body did not arrive in time");
                Poll::Ready(Some(Err(problem.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
