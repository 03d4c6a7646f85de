//! The body of a request on which the transport keeps a hand while hyper sends it.
//!
//! Needed where hyper alone cannot do what is promised: a body that waits for `100 Continue`, one that
//! has to stop because nobody wants the answer any more, and one that goes to another connection
//! because the callee did not look at the request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{BoxError, body::Body};
use tokio::time::{self, Sleep};

use super::trailers;

/// The half that hyper polls.
struct Held(Arc<Mutex<State>>);

/// The half that the transport keeps.
pub(super) struct Hold(Arc<Mutex<State>>);

struct State {
    body: Body,
    /// All of it, if it was in memory: such a body can be sent twice.
    copy: Option<Bytes>,
    /// Whether anything was taken out.
    is_touched: bool,
    gate: Gate,
    /// What the body failed with, for whoever waits for the answer.
    error: Option<BoxError>,
    /// The names of trailers that may pass.
    announced: Vec<HeaderName>,
    waker: Option<Waker>,
}

enum Gate {
    Open,
    /// The callee was asked whether it wants the body.
    Waiting(Option<Pin<Box<Sleep>>>),
    /// The callee answered without asking for the body.
    Refused,
    /// Nobody waits for the answer any more.
    Aborted,
}

impl Hold {
    /// A body that is sent at once.
    pub(super) fn new(body: Body, announced: Vec<HeaderName>) -> Self {
        Self::with_gate(body, Gate::Open, announced)
    }

    /// A body that is sent when the callee asks for it, or has not said a word for a second.
    pub(super) fn waiting(body: Body) -> Self {
        // What trails over HTTP/1.1 is hyper's to choose, by the same announcement.
        Self::with_gate(body, Gate::Waiting(None), Vec::new())
    }

    fn with_gate(body: Body, gate: Gate, announced: Vec<HeaderName>) -> Self {
        let (body, copy) = if body.is_in_memory() {
            let bytes = in_memory(body);
            (Body::from(bytes.clone()), Some(bytes))
        } else {
            (body, None)
        };
        Self(Arc::new(Mutex::new(State {
            body,
            copy,
            is_touched: false,
            gate,
            error: None,
            announced,
            waker: None,
        })))
    }

    /// The half for hyper.
    pub(super) fn body(&self) -> Body {
        Body::new(Held(self.0.clone()))
    }

    /// Another hand on the same body.
    pub(super) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    /// The callee asks for the body.
    pub(super) fn go_on(&self) {
        self.change(|gate| matches!(gate, Gate::Waiting(_)).then_some(Gate::Open));
    }

    /// The callee has answered: what was not asked for is not sent any more. Says whether that is so.
    pub(super) fn refuse(&self) -> bool {
        self.change(|gate| matches!(gate, Gate::Waiting(_)).then_some(Gate::Refused))
    }

    /// The body is over, wherever it is.
    pub(super) fn abort(&self) {
        self.change(|_gate| Some(Gate::Aborted));
        let body = std::mem::take(&mut self.lock().body);
        drop(body);
    }

    /// Whether hyper has let its half go.
    pub(super) fn is_sent(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Takes the body back as it was, unless a part of it is gone for good.
    pub(super) fn reclaim(&self) -> Option<Body> {
        let mut state = self.lock();
        if state.error.is_some() {
            return None;
        }
        match &state.copy {
            Some(copy) => Some(Body::from(copy.clone())),
            None if state.is_touched => None,
            None => Some(std::mem::take(&mut state.body)),
        }
    }

    /// What the body failed with.
    pub(super) fn take_error(&self) -> Option<BoxError> {
        self.lock().error.take()
    }

    fn change(&self, next: impl FnOnce(&Gate) -> Option<Gate>) -> bool {
        let mut state = self.lock();
        let Some(gate) = next(&state.gate) else {
            return false;
        };
        state.gate = gate;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A body that panicked is broken for hyper too, which polls it no more.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of a body that has them all.
fn in_memory(mut body: Body) -> Bytes {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(&mut body).poll_frame(&mut cx) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = lock(&self.0);
        let state = &mut *state;
        if let Gate::Waiting(timer) = &mut state.gate {
            let timer = timer.get_or_insert_with(|| Box::pin(time::sleep(CONTINUE_TIMEOUT)));
            if timer.as_mut().poll(cx).is_ready() {
                state.gate = Gate::Open;
            }
        }
        let polled = match state.gate {
            Gate::Open => Pin::new(&mut state.body).poll_frame(cx),
            Gate::Waiting(_) | Gate::Refused => Poll::Pending,
            Gate::Aborted => return Poll::Ready(Some(Err(cancelled()))),
        };
        match polled {
            Poll::Pending => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => state.waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            Poll::Ready(Some(Err(error))) => {
                state.is_touched = true;
                state.error = Some(error);
                Poll::Ready(Some(Err(cancelled())))
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                state.is_touched = true;
                if let Some(fields) = frame.trailers_mut() {
                    trailers::clean_announced(fields, &state.announced);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                state.is_touched = true;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.0);
        matches!(state.gate, Gate::Open) && state.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}

/// What hyper is told instead of the body's own error, so that it resets the stream with `CANCEL`.
fn cancelled() -> BoxError {
    h2::Error::from(h2::Reason::CANCEL).into()
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

/// How long a callee may think about a body that it was asked about. Servers that do not know
/// `Expect` never answer it, so the wait has to end (RFC 9110 section 10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    fn streamed(text: &'static str) -> Body {
        Body::new(BodyExt::boxed_unsync(http_body_util::Full::new(
            Bytes::from(text),
        )))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_was_asked_for_goes_on_at_once() {
        let hold = Hold::waiting(streamed("x"));
        let mut body = hold.body();
        let mut reading = spawn(body.frame());
        assert_pending!(reading.poll());
        hold.go_on();
        assert!(reading.is_woken());
        assert!(assert_ready!(reading.poll()).unwrap().is_ok());
        assert!(!hold.refuse(), "it was sent");
    }

    #[tokio::test(start_paused = true)]
    async fn a_callee_that_does_not_know_the_word_gets_the_body_after_a_second() {
        let hold = Hold::waiting(streamed("x"));
        let mut body = hold.body();
        let mut reading = spawn(body.frame());
        assert_pending!(reading.poll());
        time::advance(Duration::from_millis(999)).await;
        assert_pending!(reading.poll());
        time::advance(Duration::from_millis(2)).await;
        assert!(assert_ready!(reading.poll()).unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_was_refused_is_never_sent() {
        let hold = Hold::waiting(streamed("x"));
        let mut body = hold.body();
        let mut reading = spawn(body.frame());
        assert_pending!(reading.poll());
        assert!(hold.refuse());
        assert_pending!(reading.poll());
        time::advance(Duration::from_secs(100)).await;
        assert_pending!(reading.poll());
    }

    #[tokio::test]
    async fn a_body_of_which_nothing_was_taken_comes_back() {
        for body in [streamed("whole"), Body::from("whole")] {
            let hold = Hold::new(body, Vec::new());
            drop(hold.body());
            let back = hold.reclaim().unwrap();
            assert_eq!(back.collect().await.unwrap().to_bytes(), "whole");
        }
    }

    #[tokio::test]
    async fn of_a_body_that_was_begun_only_one_in_memory_comes_back() {
        let hold = Hold::new(streamed("whole"), Vec::new());
        assert!(hold.body().frame().await.unwrap().is_ok());
        assert!(hold.reclaim().is_none());
        let hold = Hold::new(Body::from("whole"), Vec::new());
        assert!(hold.body().frame().await.unwrap().is_ok());
        let back = hold.reclaim().unwrap();
        assert_eq!(back.collect().await.unwrap().to_bytes(), "whole");
    }

    #[tokio::test]
    async fn an_abort_ends_a_body_that_waits() {
        let hold = Hold::waiting(streamed("x"));
        let mut body = hold.body();
        let mut reading = spawn(body.frame());
        assert_pending!(reading.poll());
        hold.abort();
        assert!(reading.is_woken());
        assert!(assert_ready!(reading.poll()).unwrap().is_err());
        assert!(!hold.is_sent());
        drop(reading);
        drop(body);
        assert!(hold.is_sent());
    }
}
