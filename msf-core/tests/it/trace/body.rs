//! A response body that does what a test tells it.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use msf_core::trace;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Data(&'static str),
    Pending,
    Fail,
    Panic,
}

/// Takes one step a poll, logs it, and ends; claims to be at its end only when asked for a frame.
#[derive(Debug, Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    announces_length: bool,
}

impl Script {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            announces_length: false,
        }
    }

    pub(super) fn announcing_length(mut self) -> Self {
        self.announces_length = true;
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let id = trace::current().map(|context| context.request_id().to_string());
        tracing::info!(target: "test", id, "body polled");
        match self.steps.pop_front() {
            Some(Step::Data(text)) => {
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
            }
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Fail) => Poll::Ready(Some(Err("broken"))),
            Some(Step::Panic) => panic!("as told"),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if !self.announces_length {
            return SizeHint::new();
        }
        let bytes = self.steps.iter().map(|step| match step {
            Step::Data(text) => text.len() as u64,
            Step::Pending | Step::Fail | Step::Panic => 0,
        });
        SizeHint::with_exact(bytes.sum())
    }
}
