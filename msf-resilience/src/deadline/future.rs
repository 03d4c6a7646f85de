//! The response future of the typed face.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use msf_core::deadline::{Deadline, DeadlineExceeded};
use pin_project_lite::pin_project;

use super::{error::Error, metrics::DeadlineMetrics};
use crate::{late::Late, timed::Timed};

pin_project! {
    /// Future of [`DeadlineService`](super::DeadlineService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Calling {
            #[pin]
            timed: Timed<F>,
            deadline: Option<Deadline>,
            late: Option<Late<DeadlineMetrics>>,
        },
        Exceeded {
            exceeded: DeadlineExceeded,
        },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) const fn calling(
        inner: F,
        deadline: Option<Deadline>,
        late: Option<Late<DeadlineMetrics>>,
    ) -> Self {
        Self {
            state: State::Calling {
                timed: Timed::new(inner),
                deadline,
                late,
            },
        }
    }

    pub(super) const fn exceeded(exceeded: DeadlineExceeded) -> Self {
        Self {
            state: State::Exceeded { exceeded },
        }
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
{
    type Output = Result<Res, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling {
                timed,
                deadline,
                late,
            } => {
                let until = || deadline.map(Deadline::instant);
                Poll::Ready(match ready!(timed.poll_until(cx, until)) {
                    Some(outcome) => outcome.map_err(Error::Inner),
                    None => {
                        if let Some(metrics) = late.and_then(Late::find) {
                            metrics.meanwhile.inc();
                        }
                        Err(Error::Exceeded(DeadlineExceeded))
                    }
                })
            }
            StateProjection::Exceeded { exceeded } => Poll::Ready(Err(Error::Exceeded(*exceeded))),
        }
    }
}
