//! Calls of services without a runtime's task around them: polled by hand, with a waker that does nothing.

use std::{
    cell::Cell,
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, Ready, poll_fn, ready},
    hint::{self, black_box},
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    thread,
};

use axum::body::Body;
use http::{Request, Response};
use tower::Service;

use crate::table::Runner;

/// A service that answers at once with what it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers;

/// A service whose answer is there when its future is polled for the second time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AnswersLater;

/// How a call could fail. None of these services does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// Future of [`AnswersLater`].
#[derive(Debug)]
pub(crate) struct Later(u64, bool);

thread_local! {
    static RETURNED: Cell<Option<Request<()>>> = const { Cell::new(None) };
}

/// The request of this thread's last call of [`Answers`].
#[inline]
pub(crate) fn returned() -> Option<Request<()>> {
    RETURNED.take()
}

static UNANSWERED: AtomicU64 = AtomicU64::new(0);

/// How many calls were not answered with a success, on all threads.
pub(crate) fn unanswered() -> u64 {
    UNANSWERED.load(Ordering::Relaxed)
}

/// Calls a service as often as it is told, with requests that `request` makes.
pub(crate) fn calling<S, Req>(
    mut service: S,
    mut request: impl FnMut() -> Req + Send + 'static,
) -> Runner
where
    S: Service<Req> + Send + 'static,
{
    Box::new(move |calls| {
        for _ in 0..calls {
            if black_box(call(&mut service, request())).is_none() {
                missed();
            }
        }
    })
}

/// One call: ready, call, poll to the end.
#[inline]
pub(crate) fn call<S, Req>(service: &mut S, request: Req) -> Option<S::Response>
where
    S: Service<Req>,
{
    finish(poll_fn(|cx| service.poll_ready(cx)))?.ok()?;
    finish(service.call(black_box(request)))?.ok()
}

/// Polls a future until it is done.
///
/// One that waits for the other thread, which few do, is polled again and again instead of being woken: that is the
/// least such a wait can cost.
#[inline]
pub(crate) fn finish<F: Future>(future: F) -> Option<F::Output> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for poll in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        if poll > 1_000 {
            thread::yield_now();
        } else if poll > 1 {
            hint::spin_loop();
        }
    }
    None
}

/// Counts a call that failed.
#[cold]
pub(crate) fn missed() {
    UNANSWERED.fetch_add(1, Ordering::Relaxed);
}

impl Service<u64> for Answers {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        ready(black_box(Ok(request)))
    }
}

/// Puts the request where [`returned`] finds it, so that who calls again needs no new one.
impl Service<Request<()>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        RETURNED.set(Some(request));
        ready(Ok(Response::new(Body::empty())))
    }
}

/// A service that drops every request and answers at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drops;

impl<B> Service<Request<B>> for Drops {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}

impl Service<u64> for AnswersLater {
    type Response = u64;
    type Error = Failed;
    type Future = Later;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Later {
        Later(black_box(request), false)
    }
}

impl Future for Later {
    type Output = Result<u64, Failed>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 {
            return Poll::Ready(Ok(self.0));
        }
        self.1 = true;
        Poll::Pending
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

impl Error for Failed {}
