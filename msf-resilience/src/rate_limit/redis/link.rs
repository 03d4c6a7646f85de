//! The connection to Redis: one for all, made when it is needed, given up when it does not answer.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use msf_core::{clock::Epoch, task};
use tokio::sync::watch;

/// Why a client library's own manager is not used: it keeps a connection whose other end has gone silent, such as
/// after a failover without a reset, until the kernel gives up after a quarter of an hour; and it retries by itself,
/// where here the breaker decides when Redis is asked again.
pub(super) struct Link {
    client: Client,
    connect_timeout: Duration,
    epoch: Epoch,
    state: Mutex<State>,
    /// When Redis last answered anything, in nanoseconds of the epoch.
    heard: AtomicU64,
}

/// A connection, and which one it is.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    number: u64,
}

enum State {
    Down {
        last: u64,
    },
    /// Everybody who comes meanwhile waits for the same attempt.
    Connecting {
        number: u64,
        done: watch::Receiver<Attempt>,
    },
    Up(Line),
}

type Attempt = Option<Result<Line, RedisError>>;

impl Link {
    pub(super) fn new(client: Client, connect_timeout: Duration) -> Self {
        Self {
            client,
            connect_timeout,
            epoch: Epoch::new(),
            state: Mutex::new(State::Down { last: 0 }),
            heard: AtomicU64::new(0),
        }
    }

    /// The connection, or the outcome of the attempt to make one.
    ///
    /// # Cancel safety
    ///
    /// The attempt goes on without the caller who began it.
    pub(super) async fn line(self: &Arc<Self>) -> Result<Line, RedisError> {
        let mut done = match self.line_or_attempt() {
            Ok(line) => return Ok(line),
            Err(attempt) => attempt,
        };
        let outcome = match done.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // Its runtime was shut down; the next caller begins anew.
            Err(_) => None,
        };
        outcome.unwrap_or_else(|| {
            Err((::redis::ErrorKind::Io, "the attempt to connect was dropped").into())
        })
    }

    /// Redis answered.
    pub(super) fn heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Nanoseconds, for [`is_silent_since`](Self::is_silent_since).
    pub(super) fn now(&self) -> u64 {
        self.epoch.nanos()
    }

    /// Whether nobody got an answer since then.
    pub(super) fn is_silent_since(&self, moment: u64) -> bool {
        self.heard.load(Ordering::Relaxed) < moment
    }

    /// Gives a connection up; calls on it still get their answers. Another one that was made meanwhile stays.
    pub(super) fn give_up(&self, line: &Line) {
        let mut state = self.lock();
        if matches!(&*state, State::Up(up) if up.number == line.number) {
            *state = State::Down { last: line.number };
        }
    }

    fn line_or_attempt(self: &Arc<Self>) -> Result<Line, watch::Receiver<Attempt>> {
        let mut state = self.lock();
        let last = match &*state {
            State::Up(line) => return Ok(line.clone()),
            State::Connecting { done, .. } => return Err(done.clone()),
            State::Down { last } => *last,
        };
        let (say, done) = watch::channel(None);
        let attempt = Connecting {
            link: Arc::clone(self),
            number: last + 1,
            say,
        };
        *state = State::Connecting {
            number: attempt.number,
            done: done.clone(),
        };
        drop(state);
        task::spawn_root("redis-connect", attempt.run()).detach();
        Err(done)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        // Each call has its own timeout, and the attempt as a whole the one below.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(outcome) => outcome,
            Err(_) => Err((::redis::ErrorKind::Io, "connecting took too long").into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running attempt. Dropped before its end, it leaves nobody waiting.
struct Connecting {
    link: Arc<Link>,
    number: u64,
    say: watch::Sender<Attempt>,
}

impl Connecting {
    async fn run(self) {
        let outcome = self.link.connect().await.map(|connection| Line {
            connection,
            number: self.number,
        });
        match &outcome {
            Ok(line) => {
                tracing::debug!("connected to redis");
                *self.link.lock() = State::Up(line.clone());
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to redis");
                *self.link.lock() = State::Down { last: self.number };
            }
        }
        self.say.send_replace(Some(outcome));
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        if matches!(&*state, State::Connecting { number, .. } if *number == self.number) {
            *state = State::Down { last: self.number };
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.lock() {
            State::Down { .. } => "down",
            State::Connecting { .. } => "connecting",
            State::Up(_) => "up",
        };
        // Not the client, which has the password.
        f.debug_struct("Link")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
