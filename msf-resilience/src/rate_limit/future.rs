//! The response future of the typed face.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{decision::Limited, error::Error};

pin_project! {
    /// Future of [`RateLimitService`](super::RateLimitService).
    ///
    /// The request was counted when the future was made; dropping it gives nothing back.
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
            inner: F,
        },
        Limited {
            limited: Option<Limited>,
        },
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(super) const fn calling(inner: F) -> Self {
        Self {
            state: State::Calling { inner },
        }
    }

    pub(super) const fn limited(limited: Limited) -> Self {
        Self {
            state: State::Limited {
                limited: Some(limited),
            },
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
        match self.project().state.project() {
            StateProjection::Calling { inner } => inner.poll(cx).map_err(Error::Inner),
            StateProjection::Limited { limited } => {
                let limited = limited
                    .take()
                    .expect("a future is not polled after its end");
                Poll::Ready(Err(Error::Limited(limited)))
            }
        }
    }
}
