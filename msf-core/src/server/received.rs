//! A request body that arrives over the network, with its limits.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Limited;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::Body;
use crate::{
    BoxError, clock,
    problem::{Code, Problem},
};

struct Received {
    body: Limited<Incoming>,
    timeout: Duration,
    /// Made at the first wait and kept, so that a body that is already there costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

/// What hyper received, limited in bytes and in the time between them.
pub(super) fn received(body: Incoming, limit: usize, timeout: Duration) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(Received {
        body: Limited::new(body, limit),
        timeout,
        timer: None,
        is_waiting: false,
    })
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.is_waiting = false;
            return Poll::Ready(frame);
        }
        let timeout = this.timeout;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !this.is_waiting {
            this.is_waiting = true;
            timer.as_mut().reset(clock::now() + timeout);
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

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
