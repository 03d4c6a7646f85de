//! Answers over HTTP/2 of which the client takes nothing.
//!
//! A window of flow control that stays shut holds a stream, and behind a gateway the connection to the service, while
//! TCP sees a healthy peer: its own timeout never comes. hyper does not poll a body whose last frame waits for the
//! window, so the body cannot end itself. Its task can: dropped, the stream is reset, and the others go on.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Connection, Refusal, activity::Activity, refused::Refusals};
use crate::clock;

/// Runs the streams of one connection, and ends those that wait for their client for too long.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    activity: Arc<Activity>,
    refusals: Arc<Refusals>,
    timeout: Duration,
    /// How often a stream that waited went on: others may have been before the one that still waits.
    moves: AtomicU32,
}

/// What a body did when it was last polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was not polled.
    Nothing,
    /// It gave something: who does not ask for more has a client that takes no more.
    Frame,
    /// It has nothing for now: the client waits for us.
    Pending,
}

thread_local! {
    /// A body is polled by its task on the thread that polls the task, and no word can go between the two but through
    /// hyper: this is that word. It costs no allocation, which state that both share would.
    static SAID: Cell<Said> = const { Cell::new(Said::Nothing) };
}

/// Of a body of HTTP/2, each time that it is polled.
pub(super) fn say(said: Said) {
    SAID.set(said);
}

impl Streams {
    pub(super) fn new(
        connection: Connection,
        activity: Arc<Activity>,
        refusals: Arc<Refusals>,
        timeout: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                connection,
                activity,
                refusals,
                timeout,
                moves: AtomicU32::new(0),
            }),
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        TokioExecutor::new().execute(Watched {
            future: Some(future),
            shared: self.shared.clone(),
            wait: None,
            timer: None,
        });
    }
}

pin_project! {
    /// The task of one stream.
    struct Watched<F> {
        #[pin]
        future: Option<F>,
        shared: Arc<Shared>,
        wait: Option<Wait>,
        // Made at the first wait. It is never earlier than it must be, and rarely reset.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F> Future for Watched<F>
where
    F: Future<Output = ()>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        // A body may poll another server of this process.
        let outer = SAID.replace(Said::Nothing);
        let polled = future.poll(cx);
        let said = SAID.replace(outer);

        let shared = &**this.shared;
        if (polled.is_ready() || said != Said::Nothing) && this.wait.take().is_some() {
            shared.moves.fetch_add(1, Ordering::Relaxed);
        }
        if polled.is_ready() {
            return Poll::Ready(());
        }
        if said == Said::Frame {
            let moves = shared.moves.load(Ordering::Relaxed);
            *this.wait = Some(Wait::new(clock::now(), moves));
        }
        let Some(wait) = this.wait else {
            return Poll::Pending;
        };
        loop {
            if let Some(timer) = this.timer.as_mut().as_pin_mut()
                && timer.poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            let moves = shared.moves.load(Ordering::Relaxed);
            let is_blocked = shared.activity.is_blocked();
            let Some(next) = wait.next(clock::now(), shared.timeout, moves, is_blocked) else {
                break;
            };
            match this.timer.as_mut().as_pin_mut() {
                Some(timer) => timer.reset(next),
                None => this.timer.set(Some(sleep_until(next))),
            }
        }
        tracing::debug!(
            peer = %shared.connection.peer(),
            "stream reset: its client takes nothing of the response"
        );
        shared
            .refusals
            .refused(Refusal::ResponseStalled, &shared.connection);
        this.future.set(None);
        Poll::Ready(())
    }
}

/// How long a stream has waited for its client.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    looked: Instant,
    moves: u32,
}

impl Wait {
    const fn new(now: Instant, moves: u32) -> Self {
        Self {
            since: now,
            looked: now,
            moves,
        }
    }

    /// When to look again; `None` if the client has stalled the stream.
    fn next(
        &mut self,
        now: Instant,
        timeout: Duration,
        moves: u32,
        is_blocked: bool,
    ) -> Option<Instant> {
        if now < self.looked + timeout {
            return Some(self.looked + timeout);
        }
        let end = self.since + timeout * TURNS_MAX;
        if now >= end || (moves == self.moves && !is_blocked) {
            return None;
        }
        self.looked = now;
        self.moves = moves;
        Some(end.min(now + timeout))
    }
}

/// For how many timeouts a stream may wait while others of its connection go on, or the socket is full: a slow line
/// may have brought theirs first. 200 streams with a frame of 16 KiB each are through in that time at 27 kB/s.
const TURNS_MAX: u32 = 4;

#[cfg(test)]
mod tests;
