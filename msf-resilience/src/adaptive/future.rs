//! The response future.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use msf_core::classify::Classify;
use pin_project_lite::pin_project;

use super::{
    error::{Error, LimitReached},
    permit::Permit,
};
use crate::bulkhead::Hold;

pin_project! {
    /// Future of [`AdaptiveService`](super::AdaptiveService).
    ///
    /// Dropped before it is done, it gives its permit back.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, H> {
        #[pin]
        state: State<F, C>,
        hold: PhantomData<fn() -> H>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F, C> {
        Calling {
            #[pin]
            inner: F,
            permit: Option<Permit>,
            classify: C,
        },
        Refused {
            refusal: Option<LimitReached>,
        },
    }
}

impl<F, C, H> ResponseFuture<F, C, H> {
    #[inline]
    pub(super) const fn calling(inner: F, permit: Permit, classify: C) -> Self {
        Self {
            state: State::Calling {
                inner,
                permit: Some(permit),
                classify,
            },
            hold: PhantomData,
        }
    }

    pub(super) const fn refused(refusal: LimitReached) -> Self {
        Self {
            state: State::Refused {
                refusal: Some(refusal),
            },
            hold: PhantomData,
        }
    }
}

impl<F, C, H, Res, E> Future for ResponseFuture<F, C, H>
where
    F: Future<Output = Result<Res, E>>,
    C: Classify<Res, E>,
    H: Hold<Res>,
{
    type Output = Result<H::Held<Permit>, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling {
                inner,
                permit,
                classify,
            } => {
                let outcome = ready!(inner.poll(cx));
                let mut permit = permit.take().expect("a future is not polled after its end");
                permit.finish(&classify.classify(outcome.as_ref()));
                Poll::Ready(match outcome {
                    Ok(response) => Ok(H::hold(response, permit)),
                    Err(error) => Err(Error::Inner(error)),
                })
            }
            StateProjection::Refused { refusal } => {
                let refusal = refusal
                    .take()
                    .expect("a future is not polled after its end");
                Poll::Ready(Err(Error::Limited(refusal)))
            }
        }
    }
}
