//! The response future of the typed face.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use msf_core::{clock, deadline::Deadline};
use pin_project_lite::pin_project;

use super::{
    error::{Elapsed, Error},
    metrics::TimeoutMetrics,
};
use crate::{late::Late, timed::Timed};

pin_project! {
    /// Future of [`TimeoutService`](super::TimeoutService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        timed: Timed<F>,
        after: Duration,
        deadline: Option<Deadline>,
        elapsed: Option<Elapsed>,
        late: Option<Late<TimeoutMetrics>>,
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(super) const fn new(
        inner: F,
        after: Duration,
        deadline: Option<Deadline>,
        late: Option<Late<TimeoutMetrics>>,
    ) -> Self {
        Self {
            timed: Timed::new(inner),
            after,
            deadline,
            elapsed: None,
            late,
        }
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
{
    type Output = Result<Res, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (after, deadline, elapsed) = (*this.after, *this.deadline, this.elapsed);
        let outcome = ready!(this.timed.poll_until(cx, || {
            let own = clock::now() + after;
            let (until, why) = match deadline {
                Some(deadline) if deadline.instant() < own => {
                    (deadline.instant(), Elapsed::of_deadline())
                }
                _ => (own, Elapsed::of_timeout(after)),
            };
            *elapsed = Some(why);
            Some(until)
        }));
        Poll::Ready(match outcome {
            Some(outcome) => outcome.map_err(Error::Inner),
            None => {
                let elapsed = elapsed.unwrap_or(Elapsed::of_timeout(after));
                if let Some(metrics) = this.late.and_then(Late::find) {
                    metrics.count(elapsed);
                }
                Err(Error::Elapsed(elapsed))
            }
        })
    }
}
