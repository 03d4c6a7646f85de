//! The futures that wait for a permit.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    error::{BulkheadFull, Cause, Error},
    future::ResponseFuture,
    handle::Bulkhead,
    hold::Hold,
    permit::Permit,
};
use crate::permits;

pin_project! {
    /// Future of [`Bulkhead::acquire`].
    ///
    /// Dropped before it is done, it leaves the line; a permit that was handed to it goes to the next one.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire {
        place: Place,
        // Made when there is something to wait for.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl Acquire {
    pub(super) const fn new(bulkhead: Bulkhead) -> Self {
        Self {
            place: Place {
                bulkhead,
                ticket: None,
            },
            timer: None,
        }
    }
}

impl Future for Acquire {
    type Output = Result<Permit, BulkheadFull>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.place.ticket.is_none() {
            let bulkhead = &this.place.bulkhead;
            if let Some(permit) = bulkhead.try_permit() {
                return Poll::Ready(Ok(permit));
            }
            let Some(max_wait) = bulkhead.max_wait() else {
                return Poll::Ready(Err(bulkhead.refuse(Cause::Full)));
            };
            match bulkhead.slot().gate.enter(cx.waker(), bulkhead.max_queue()) {
                permits::Place::Permit => return Poll::Ready(Ok(Permit::of(bulkhead.slot()))),
                permits::Place::Full => {
                    return Poll::Ready(Err(bulkhead.refuse(Cause::QueueFull)));
                }
                permits::Place::Waiting(ticket) => this.place.ticket = Some(ticket),
            }
            this.timer.set(Some(sleep(max_wait)));
        } else if let Some(permit) = this.place.turn(cx) {
            return Poll::Ready(Ok(permit));
        }
        if let Some(timer) = this.timer.as_pin_mut() {
            ready!(timer.poll(cx));
        }
        // A permit that was handed over in this very moment is worth more than the time.
        Poll::Ready(match this.place.leave() {
            Some(permit) => Ok(permit),
            None => Err(this.place.bulkhead.refuse(Cause::WaitedTooLong)),
        })
    }
}

/// A place in the line, left when dropped. It holds the bulkhead, so that its slot is not retired meanwhile.
struct Place {
    bulkhead: Bulkhead,
    ticket: Option<u64>,
}

impl Place {
    fn turn(&mut self, cx: &Context<'_>) -> Option<Permit> {
        let slot = self.bulkhead.slot();
        let is_served = slot.gate.is_served(self.ticket?, cx.waker());
        is_served.then(|| {
            self.ticket = None;
            Permit::of(slot)
        })
    }

    /// The permit, if the turn has come.
    fn leave(&mut self) -> Option<Permit> {
        let slot = self.bulkhead.slot();
        let is_too_late = !slot.gate.leave(self.ticket.take()?);
        is_too_late.then(|| Permit::of(slot))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("bulkhead", &self.bulkhead.name())
            .field("ticket", &self.ticket)
            .finish()
    }
}

pin_project! {
    /// Future of a [`BulkheadService`](super::BulkheadService) that waits.
    ///
    /// Dropped before it is done, it leaves the line or gives its permit back.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, Req, H>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, S::Future, H>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Req, F, H> {
        Waiting {
            #[pin]
            acquire: Acquire,
            call: Option<(S, Req)>,
        },
        Decided {
            #[pin]
            response: ResponseFuture<F, H>,
            hold: PhantomData<fn() -> H>,
        },
    }
}

impl<S: Service<Req>, Req, H> WaitingFuture<S, Req, H> {
    pub(super) const fn waiting(acquire: Acquire, ready: S, request: Req) -> Self {
        Self {
            state: State::Waiting {
                acquire,
                call: Some((ready, request)),
            },
        }
    }

    pub(super) const fn calling(inner: S::Future, permit: Permit) -> Self {
        Self::decided(ResponseFuture::calling(inner, permit))
    }

    pub(super) const fn refused(refusal: BulkheadFull) -> Self {
        Self::decided(ResponseFuture::refused(refusal))
    }

    const fn decided(response: ResponseFuture<S::Future, H>) -> Self {
        Self {
            state: State::Decided {
                response,
                hold: PhantomData,
            },
        }
    }
}

impl<S, Req, H> Future for WaitingFuture<S, Req, H>
where
    S: Service<Req>,
    H: Hold<S::Response>,
{
    type Output = Result<H::Held<Permit>, Error<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProjection::Waiting { acquire, call } = state.as_mut().project() {
            let acquired = ready!(acquire.poll(cx));
            let (mut ready, request) = call.take().expect("a future is not polled after its end");
            let response = match acquired {
                Ok(permit) => ResponseFuture::calling(ready.call(request), permit),
                Err(refusal) => ResponseFuture::refused(refusal),
            };
            state.set(State::Decided {
                response,
                hold: PhantomData,
            });
        }
        match state.project() {
            StateProjection::Decided { response, .. } => response.poll(cx),
            StateProjection::Waiting { .. } => Poll::Pending,
        }
    }
}

impl<S: Service<Req>, Req, H> fmt::Debug for WaitingFuture<S, Req, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { acquire, .. } => format!("{acquire:?}"),
            State::Decided { .. } => "Decided".to_owned(),
        };
        f.debug_tuple("WaitingFuture").field(&state).finish()
    }
}
