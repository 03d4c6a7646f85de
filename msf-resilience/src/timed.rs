//! A future and a timer that exists only if the future has to wait.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep_until},
};

pin_project! {
    /// Polls the future first: one that is ready costs neither a timer nor a reading of the clock.
    #[derive(Debug)]
    pub(crate) struct Timed<F> {
        #[pin]
        inner: Option<F>,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F> Timed<F> {
    #[inline]
    pub(crate) const fn new(inner: F) -> Self {
        Self {
            inner: Some(inner),
            timer: None,
        }
    }
}

impl<F: Future> Timed<F> {
    /// The output, or `None` if the instant passed first; the future is dropped then, at once.
    ///
    /// `until` is asked once, when the future has to wait; with `None` there is no limit.
    #[inline]
    pub(crate) fn poll_until(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        until: impl FnOnce() -> Option<Instant>,
    ) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let inner = inner.expect("a future is not polled after its end");
        if let Poll::Ready(output) = inner.poll(cx) {
            return Poll::Ready(Some(output));
        }
        if this.timer.is_none() {
            match until() {
                Some(until) => this.timer.set(Some(sleep_until(until))),
                None => return Poll::Pending,
            }
        }
        let Some(timer) = this.timer.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if poll_timer(timer, cx).is_pending() {
            return Poll::Pending;
        }
        this.inner.set(None);
        Poll::Ready(None)
    }
}

/// Polls a timer beside a future, which may use up the task's budget at every poll: it would keep the timer from ever firing.
pub(crate) fn poll_timer(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let mut timer = coop::unconstrained(timer);
    Pin::new(&mut timer).poll(cx)
}
