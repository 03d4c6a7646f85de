//! Verification, decision and the inner call, one after the other.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Error,
    authenticate::{Asking, Step},
    gate::Gate,
};
use crate::{refusal::Refusal, verify::Verify};

pin_project! {
    /// The response of [`Auth`](super::Auth).
    pub struct AuthFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<S, B, F> {
        Verifying {
            #[pin]
            verify: Verify,
            // Taken when the token is verified.
            waiting: Option<(Request<B>, S)>,
            gate: Arc<Gate>,
        },
        Asking {
            // Taken when the answer is there.
            waiting: Option<(Asking<B>, S)>,
            gate: Arc<Gate>,
        },
        Running {
            #[pin]
            future: F,
        },
        Refused {
            refusal: Option<Refusal>,
        },
    }
}

impl<S, B> AuthFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(super) const fn verifying(
        verify: Verify,
        request: Request<B>,
        inner: S,
        gate: Arc<Gate>,
    ) -> Self {
        Self {
            state: State::Verifying {
                verify,
                waiting: Some((request, inner)),
                gate,
            },
        }
    }

    pub(super) const fn asking(asking: Asking<B>, inner: S, gate: Arc<Gate>) -> Self {
        Self {
            state: State::Asking {
                waiting: Some((asking, inner)),
                gate,
            },
        }
    }

    pub(super) const fn running(future: S::Future) -> Self {
        Self {
            state: State::Running { future },
        }
    }

    pub(super) const fn refused(refusal: Refusal) -> Self {
        Self {
            state: State::Refused {
                refusal: Some(refusal),
            },
        }
    }
}

impl<S, B, R> Future for AuthFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<R>, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let (step, mut inner, gate) = match state.as_mut().project() {
                StateProject::Running { future } => return future.poll(cx).map_err(Error::Inner),
                StateProject::Refused { refusal } => {
                    let refusal = refusal.take().expect(NOT_TWICE);
                    return Poll::Ready(Err(Error::Refused(refusal)));
                }
                StateProject::Verifying {
                    verify,
                    waiting,
                    gate,
                } => {
                    let outcome = ready!(verify.poll(cx));
                    let (request, inner) = waiting.take().expect(NOT_TWICE);
                    (gate.verified(outcome, request), inner, gate)
                }
                StateProject::Asking { waiting, gate } => {
                    let (asking, _) = waiting.as_mut().expect(NOT_TWICE);
                    let answer = ready!(asking.poll(cx));
                    let (asking, inner) = waiting.take().expect(NOT_TWICE);
                    (asking.answered(answer, gate), inner, gate)
                }
            };
            let next = match step {
                Step::Pass(request) => State::Running {
                    future: inner.call(request),
                },
                Step::Refuse(refusal) => return Poll::Ready(Err(Error::Refused(refusal))),
                Step::Ask(asking) => State::Asking {
                    waiting: Some((asking, inner)),
                    gate: Arc::clone(gate),
                },
            };
            state.set(next);
        }
    }
}

const NOT_TWICE: &str = "a future is not polled after it is ready";

impl<S, B> fmt::Debug for AuthFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
