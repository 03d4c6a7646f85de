//! The response future.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::error::{Error, Overloaded};

pin_project! {
    /// Future of [`LoadShedService`](super::LoadShedService).
    ///
    /// The request was judged when the future was made; dropping it gives nothing back.
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
        Refused {
            refusal: Option<Overloaded>,
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

    pub(super) const fn refused(refusal: Overloaded) -> Self {
        Self {
            state: State::Refused {
                refusal: Some(refusal),
            },
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
            StateProjection::Calling { inner } => inner.poll(cx).map_err(Error::Inner),
            StateProjection::Refused { refusal } => {
                let refusal = refusal
                    .take()
                    .expect("a future is not polled after its end");
                Poll::Ready(Err(Error::Overloaded(refusal)))
            }
        }
    }
}
