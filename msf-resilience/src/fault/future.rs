//! The response future.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep, sleep_until};

use super::{face::Face, kind::Fault};
use msf_core::deadline::Deadline;

pin_project! {
    /// Future of [`FaultService`](super::FaultService).
    ///
    /// A fault was counted when the future was made; dropping it takes nothing back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, I, Req> {
        #[pin]
        inner: Option<F>,
        #[pin]
        wait: Option<Sleep>,
        fault: Option<Fault>,
        face: I,
        request: PhantomData<fn(Req)>,
    }
}

impl<F, I, Req> ResponseFuture<F, I, Req> {
    #[inline]
    pub(super) const fn passing(inner: F, face: I) -> Self {
        Self {
            inner: Some(inner),
            wait: None,
            fault: None,
            face,
            request: PhantomData,
        }
    }

    /// The service inside is called, and its answer comes late or not whole.
    pub(super) fn spoiled(inner: F, face: I, fault: Fault) -> Self {
        let wait = match fault {
            Fault::Latency(wait) => Some(sleep(wait.min(Fault::LATENCY_MAX))),
            _ => None,
        };
        Self {
            inner: Some(inner),
            wait,
            fault: Some(fault),
            face,
            request: PhantomData,
        }
    }

    /// The service inside is not called.
    pub(super) fn made_up(face: I, fault: Fault, deadline: Option<Deadline>) -> Self {
        let wait = deadline.filter(|_| fault == Fault::Hang);
        Self {
            inner: None,
            wait: wait.map(|deadline| sleep_until(deadline.instant())),
            fault: Some(fault),
            face,
            request: PhantomData,
        }
    }
}

impl<F, I, Req, Res, E> Future for ResponseFuture<F, I, Req>
where
    F: Future<Output = Result<Res, E>>,
    I: Face<Req, Res, E>,
{
    type Output = Result<I::Response, I::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let has_waited = if let Some(wait) = this.wait.as_mut().as_pin_mut() {
            ready!(wait.poll(cx));
            this.wait.set(None);
            true
        } else {
            false
        };
        let Some(inner) = this.inner.as_pin_mut() else {
            let fault = this.fault.unwrap_or(Fault::Error);
            return match fault {
                // Without a deadline only the caller can end it, by dropping the future: there is nothing to wake for.
                Fault::Hang if !has_waited => Poll::Pending,
                fault => Poll::Ready(this.face.make_up(fault)),
            };
        };
        let outcome = ready!(inner.poll(cx));
        Poll::Ready(match this.fault {
            Some(Fault::Reset) => this.face.break_off(outcome),
            _ => I::pass(outcome),
        })
    }
}

impl<F, I, Req> std::fmt::Debug for ResponseFuture<F, I, Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
