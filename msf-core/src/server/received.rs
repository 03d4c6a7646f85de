//! A request body that arrives over the network, with its limits.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Limited;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep_until};

use super::{Body, activity::Activity, pace::Pace};
use crate::{
    BoxError, clock,
    problem::{Code, Problem},
};

struct Received {
    body: Limited<Incoming>,
    open: Option<OpenBody>,
    is_multiplexed: bool,
    pace: Pace,
    /// Made at the first wait and kept, so that a body that is already there costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The body of a request of HTTP/1 while somebody may read it: all that comes is a part of it.
///
/// With HTTP/2 there is nothing to be kept from: what comes between two requests is no head.
#[derive(Debug)]
pub(super) struct OpenBody {
    activity: Arc<Activity>,
    is_read: bool,
}

impl OpenBody {
    /// `None` where there is no body.
    pub(super) fn of(body: &Incoming, version: Version, activity: &Arc<Activity>) -> Option<Self> {
        let is_open = version <= Version::HTTP_11 && !body.is_end_stream();
        is_open.then(|| {
            activity.on_body();
            Self {
                activity: activity.clone(),
                is_read: false,
            }
        })
    }
}

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.activity.on_body_end(clock::now(), !self.is_read);
    }
}

/// What hyper received, limited in bytes and in the time that they take.
pub(super) fn received(
    body: Incoming,
    open: Option<OpenBody>,
    version: Version,
    limit: usize,
    pace: Pace,
) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(Received {
        body: Limited::new(body, limit),
        open,
        is_multiplexed: version == Version::HTTP_2,
        pace,
        timer: None,
    })
}

impl Received {
    /// All of it was read.
    fn end(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.is_read = true;
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        // hyper says so only with the next request, if the response was complete before the body was.
        if !this.is_multiplexed && this.body.is_end_stream() {
            this.end();
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            // hyper takes a stream that its client reset with `NO_ERROR` for one that has ended, which only servers may
            // say so (RFC 9113 section 8.1): what came is a part, and must not pass for the whole.
            if frame.is_none() && this.is_multiplexed && !this.body.is_end_stream() {
                return Poll::Ready(Some(Err("the client reset the stream".into())));
            }
            let data = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => 0,
            };
            this.pace.came(data, clock::now);
            if frame.is_none() || this.body.is_end_stream() {
                this.end();
            }
            return Poll::Ready(frame);
        }
        if !this.pace.is_waiting() {
            let until = this.pace.wait(clock::now());
            match &mut this.timer {
                Some(timer) => timer.as_mut().reset(until),
                None => this.timer = Some(Box::pin(sleep_until(until))),
            }
        }
        let Some(timer) = &mut this.timer else {
            return Poll::Pending;
        };
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let problem = Problem::new(Code::RequestTimeout)
                    .with_detail("the rest of the request body did not arrive in time");
                Poll::Ready(Some(Err(problem.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
