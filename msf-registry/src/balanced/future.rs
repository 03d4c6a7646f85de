//! One call.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use msf_core::classify::Classify;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{body::ResponseBody, cache::Slot, error::Error, service::Chosen};
use crate::service::{NoEndpoints, Picked};

pin_project! {
    /// Waits for the head of an answer. Made by [`Balanced`](super::Balanced).
    ///
    /// # Cancel safety
    ///
    /// Dropping it at any time takes the call out of those in flight; it counts as abandoned, not as a failure.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, C>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        classify: C,
    }
}

pin_project! {
    #[project = Now]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        /// For an instance.
        Waiting { chosen: Waiting<S>, request: Option<Request<B>> },
        /// For its service to be ready.
        Readying { service: S, of: Option<Of<S>>, request: Option<Request<B>> },
        Calling { #[pin] answer: S::Future, picked: Option<Picked> },
        Failed { nobody: Option<NoEndpoints> },
    }
}

/// Boxed, because nobody could name it, and there is nothing to hurry for.
type Waiting<S> = Pin<Box<dyn Future<Output = Result<Chosen<S>, NoEndpoints>> + Send>>;

/// The instance that a call goes to.
struct Of<S> {
    picked: Picked,
    slot: Arc<Slot<S>>,
    original: Arc<S>,
}

impl<S, B, C> ResponseFuture<S, B, C>
where
    S: Service<Request<B>>,
{
    pub(super) fn waiting(chosen: Waiting<S>, request: Request<B>, classify: C) -> Self {
        let request = Some(request);
        Self {
            state: State::Waiting { chosen, request },
            classify,
        }
    }

    pub(super) fn chosen(chosen: Chosen<S>, request: Request<B>, classify: C) -> Self
    where
        S: Clone,
    {
        Self {
            state: State::readying(chosen, request),
            classify,
        }
    }

    pub(super) const fn failed(nobody: NoEndpoints, classify: C) -> Self {
        let nobody = Some(nobody);
        Self {
            state: State::Failed { nobody },
            classify,
        }
    }
}

impl<S, B> State<S, B>
where
    S: Service<Request<B>> + Clone,
{
    /// The clone that is polled is the one that is called: readiness is not shared by clones.
    fn readying(chosen: Chosen<S>, request: Request<B>) -> Self {
        Self::Readying {
            service: S::clone(&chosen.service),
            of: Some(Of {
                picked: chosen.picked,
                slot: chosen.slot,
                original: chosen.service,
            }),
            request: Some(request),
        }
    }
}

impl<S, B, C, R> Future for ResponseFuture<S, B, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    C: Classify<Response<R>, S::Error>,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R>>, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Now::Waiting { chosen, request } => match ready!(chosen.as_mut().poll(cx)) {
                    Ok(chosen) => State::readying(chosen, taken(request)),
                    Err(nobody) => return Poll::Ready(Err(Error::NoEndpoints(nobody))),
                },
                Now::Readying {
                    service,
                    of,
                    request,
                } => match ready!(service.poll_ready(cx)) {
                    Ok(()) => State::Calling {
                        answer: service.call(taken(request)),
                        picked: Some(taken(of).picked),
                    },
                    Err(error) => {
                        // By tower's contract it will never be ready again.
                        let mut of = taken(of);
                        of.slot.discard(&of.original);
                        of.picked.record(&this.classify.classify(Err(&error)));
                        return Poll::Ready(Err(Error::Inner(error)));
                    }
                },
                Now::Calling { answer, picked } => {
                    let outcome = ready!(answer.poll(cx));
                    let mut picked = taken(picked);
                    picked.record(&this.classify.classify(outcome.as_ref()));
                    let answered = outcome
                        .map(|response| response.map(|body| ResponseBody::new(body, picked)));
                    return Poll::Ready(answered.map_err(Error::Inner));
                }
                Now::Failed { nobody } => {
                    return Poll::Ready(Err(Error::NoEndpoints(taken(nobody))));
                }
            };
            this.state.set(next);
        }
    }
}

fn taken<T>(once: &mut Option<T>) -> T {
    once.take()
        .expect("a future is not polled after it has ended")
}

impl<S, B, C> fmt::Debug for ResponseFuture<S, B, C>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { .. } => "waiting for an instance",
            State::Readying { .. } => "waiting for its service",
            State::Calling { .. } => "called",
            State::Failed { .. } => "failed",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
