//! The response future of the typed face.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use msf_core::classify::Classify;
use pin_project_lite::pin_project;

use super::{
    error::{CircuitOpen, Error},
    permit::Permit,
};

pin_project! {
    /// Future of [`CircuitBreakerService`](super::CircuitBreakerService).
    ///
    /// Dropped before it is done, it counts as a cancelled call.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F, C> {
        Calling {
            #[pin]
            inner: F,
            permit: Permit,
            classify: C,
        },
        Refused {
            refusal: Option<CircuitOpen>,
        },
    }
}

impl<F, C> ResponseFuture<F, C> {
    #[inline]
    pub(super) const fn calling(inner: F, permit: Permit, classify: C) -> Self {
        Self {
            state: State::Calling {
                inner,
                permit,
                classify,
            },
        }
    }

    #[inline]
    pub(super) const fn refused(refusal: CircuitOpen) -> Self {
        Self {
            state: State::Refused {
                refusal: Some(refusal),
            },
        }
    }
}

impl<F, C, Res, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Res, E>>,
    C: Classify<Res, E>,
{
    type Output = Result<Res, Error<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Calling {
                inner,
                permit,
                classify,
            } => {
                let outcome = ready!(inner.poll(cx));
                permit.end_with(&classify.classify(outcome.as_ref()));
                Poll::Ready(outcome.map_err(Error::Inner))
            }
            StateProjection::Refused { refusal } => Poll::Ready(Err(Error::Open(taken(refusal)))),
        }
    }
}

#[cold]
#[inline(never)]
fn taken(refusal: &mut Option<CircuitOpen>) -> CircuitOpen {
    let refusal = refusal.take();
    refusal.expect("a future is not polled after its end")
}
