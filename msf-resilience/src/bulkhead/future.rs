//! The response future of a refusing bulkhead.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{
    error::{BulkheadFull, Error},
    hold::Hold,
    permit::Permit,
};

pin_project! {
    /// Future of [`BulkheadService`](super::BulkheadService).
    ///
    /// Dropped before it is done, it gives its permit back.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, H> {
        #[pin]
        state: State<F>,
        hold: PhantomData<fn() -> H>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Calling {
            #[pin]
            inner: F,
            permit: Option<Permit>,
        },
        Refused {
            refusal: Option<BulkheadFull>,
        },
    }
}

impl<F, H> ResponseFuture<F, H> {
    #[inline]
    pub(super) const fn calling(inner: F, permit: Permit) -> Self {
        Self {
            state: State::Calling {
                inner,
                permit: Some(permit),
            },
            hold: PhantomData,
        }
    }

    pub(super) const fn refused(refusal: BulkheadFull) -> Self {
        Self {
            state: State::Refused {
                refusal: Some(refusal),
            },
            hold: PhantomData,
        }
    }
}

impl<F, H, Res, E> Future for ResponseFuture<F, H>
where
    F: Future<Output = Result<Res, E>>,
    H: Hold<Res>,
{
    type Output = Result<H::Held<Permit>, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling { inner, permit } => {
                let outcome = ready!(inner.poll(cx));
                let permit = permit.take().expect("a future is not polled after its end");
                Poll::Ready(match outcome {
                    Ok(response) => Ok(H::hold(response, permit)),
                    Err(error) => Err(Error::Inner(error)),
                })
            }
            StateProjection::Refused { refusal } => {
                let refusal = refusal
                    .take()
                    .expect("a future is not polled after its end");
                Poll::Ready(Err(Error::Full(refusal)))
            }
        }
    }
}
