//! The connections to one callee, their streams, and who waits for one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use msf_core::clock;
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::upstream::Hop,
    choice::{self, Choice, Load, Stock},
    connection::Connection,
};

/// Everything that is shared by the requests to one callee.
#[derive(Debug)]
pub(in super::super) struct Host {
    streams_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: Vec<Entry>,
    /// What the last request said.
    idle_timeout: Duration,
    opening: usize,
    line: VecDeque<oneshot::Sender<Grant>>,
    /// Kept for the next look, which would have to allocate it again.
    loads: Vec<Load>,
}

#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    streams: usize,
    idle_since: Instant,
}

/// What somebody in line gets.
#[derive(Debug)]
pub(super) enum Grant {
    Stream(Lease),
    Open(Opening),
}

/// What somebody gets who asks for a stream.
#[derive(Debug)]
pub(super) enum Admission {
    Stream(Lease),
    Open(Opening),
    Wait(oneshot::Receiver<Grant>),
    Full,
}

/// A stream of a connection. On drop it goes to the next in line, or back.
#[derive(Debug)]
pub(in super::super) struct Lease {
    host: Option<Arc<Host>>,
    pub(super) connection: Arc<Connection>,
}

/// The right to open one more connection. Dropped without one, it goes to the next in line, or back.
#[derive(Debug)]
pub(super) struct Opening {
    host: Option<Arc<Host>>,
}

impl Host {
    pub(in super::super) fn new(streams_max: usize) -> Self {
        Self {
            streams_max: streams_max.max(1),
            state: Mutex::default(),
        }
    }

    pub(super) fn admit(self: &Arc<Self>, hop: &Hop) -> Admission {
        let mut state = self.lock();
        state.idle_timeout = hop.pool.idle_timeout;
        let closed = state.remove_closed();
        let mut choice = self.choose(&mut state, hop);
        if choice == Choice::Full {
            // Those who left do not count; they are looked for only where it matters.
            state.line.retain(|waiting| !waiting.is_closed());
            choice = self.choose(&mut state, hop);
        }
        let admission = match choice {
            Choice::Take(at) => match state.take(at) {
                Some(connection) => Admission::Stream(self.lease(connection)),
                None => Admission::Full,
            },
            Choice::Open => {
                state.opening += 1;
                Admission::Open(Opening {
                    host: Some(self.clone()),
                })
            }
            Choice::Wait => {
                let (grant, granted) = oneshot::channel();
                state.line.push_back(grant);
                Admission::Wait(granted)
            }
            Choice::Full => Admission::Full,
        };
        drop(state);
        drop(closed);
        admission
    }

    /// A stream of a connection that exists, whatever is said about opening another one.
    pub(super) fn take_any(self: &Arc<Self>) -> Option<Lease> {
        let mut state = self.lock();
        let closed = state.remove_closed();
        self.look(&mut state);
        let at = choice::least_loaded(&state.loads)?;
        let connection = state.take(at)?;
        drop(state);
        drop(closed);
        Some(self.lease(connection))
    }

    /// Forgets connections that are closed or were idle for too long; says whether any is left.
    pub(in super::super) fn sweep(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let idle_timeout = state.idle_timeout;
        let mut removed = state.remove_closed();
        let is_old = |entry: &mut Entry| {
            entry.streams == 0 && now.saturating_duration_since(entry.idle_since) >= idle_timeout
        };
        removed.extend(state.connections.extract_if(.., is_old));
        let is_used = !state.connections.is_empty() || state.opening > 0;
        drop(state);
        drop(removed);
        is_used
    }

    /// Connections without a stream, and all of them, those that are being opened included.
    pub(in super::super) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let is_idle = |entry: &&Entry| entry.streams == 0;
        let idle = state.connections.iter().filter(is_idle).count();
        (idle, state.connections.len() + state.opening)
    }

    fn choose(&self, state: &mut State, hop: &Hop) -> Choice {
        self.look(state);
        let stock = Stock {
            loads: &state.loads,
            opening: state.opening,
            waiting: state.line.len(),
            streams_max: self.streams_max,
        };
        choice::choose(stock, hop.max_connections, hop.queue_max)
    }

    fn look(&self, state: &mut State) {
        let load = |entry: &Entry| Load {
            streams: entry.streams,
            max: entry.connection.streams_max().min(self.streams_max),
        };
        state.loads.clear();
        state.loads.extend(state.connections.iter().map(load));
    }

    fn lease(self: &Arc<Self>, connection: Arc<Connection>) -> Lease {
        Lease {
            host: Some(self.clone()),
            connection,
        }
    }

    /// A connection was opened: its first stream is the opener's, and the next in line follow.
    fn opened(self: &Arc<Self>, connection: Connection) -> Lease {
        let connection = Arc::new(connection);
        let mut state = self.lock();
        state.opening -= 1;
        state.connections.push(Entry {
            connection: connection.clone(),
            streams: 1,
            idle_since: clock::now(),
        });
        drop(state);
        self.serve();
        self.lease(connection)
    }

    /// A connection was not opened: the next in line may try, unless another one has room for it.
    fn not_opened(self: &Arc<Self>) {
        self.lock().opening -= 1;
        self.serve();
        self.open_another();
    }

    /// A stream has ended.
    fn release(self: &Arc<Self>, connection: &Arc<Connection>) {
        let mut state = self.lock();
        state.give_back(connection);
        let closed = state.remove_closed();
        drop(state);
        let is_one_gone = !closed.is_empty();
        drop(closed);
        self.serve();
        if is_one_gone {
            self.open_another();
        }
    }

    /// Gives streams to those in line for as long as there are both.
    fn serve(self: &Arc<Self>) {
        loop {
            let (next, connection) = {
                let mut state = self.lock();
                if state.line.is_empty() {
                    return;
                }
                self.look(&mut state);
                let comfortable = state.loads.iter().position(|load| load.is_comfortable());
                let Some(at) = comfortable.or_else(|| choice::least_loaded(&state.loads)) else {
                    return;
                };
                let Some(next) = state.line.pop_front() else {
                    return;
                };
                let Some(connection) = state.take(at) else {
                    return;
                };
                (next, connection)
            };
            // Not under the lock: whoever is woken may come here.
            if let Err(Grant::Stream(mut unwanted)) =
                next.send(Grant::Stream(self.lease(connection)))
            {
                unwanted.host = None;
                self.lock().give_back(&unwanted.connection);
            }
        }
    }

    /// A connection is gone, or never came: the first in line may open another one, unless there is room
    /// or somebody else does.
    fn open_another(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                self.look(&mut state);
                if state.opening > 0 || choice::least_loaded(&state.loads).is_some() {
                    return;
                }
                let Some(next) = state.line.pop_front() else {
                    return;
                };
                state.opening += 1;
                next
            };
            let opening = Opening {
                host: Some(self.clone()),
            };
            let Err(Grant::Open(mut unwanted)) = next.send(Grant::Open(opening)) else {
                return;
            };
            unwanted.host = None;
            self.lock().opening -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, at: usize) -> Option<Arc<Connection>> {
        let entry = self.connections.get_mut(at)?;
        entry.streams += 1;
        Some(entry.connection.clone())
    }

    fn give_back(&mut self, connection: &Arc<Connection>) {
        let of_it = |entry: &&mut Entry| Arc::ptr_eq(&entry.connection, connection);
        // One that was closed is not in the list any more.
        if let Some(entry) = self.connections.iter_mut().find(of_it) {
            entry.streams -= 1;
            entry.idle_since = clock::now();
        }
    }

    /// Connections that take no more requests; what is in flight on them goes on. They are to be dropped
    /// after the lock.
    fn remove_closed(&mut self) -> Vec<Entry> {
        let is_closed = |entry: &mut Entry| entry.connection.is_closed();
        self.connections.extract_if(.., is_closed).collect()
    }
}

impl Lease {
    /// What this stream is part of must not be used for another one.
    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            host.release(&self.connection);
        }
    }
}

impl Opening {
    /// Keeps the connection for others too, and gives its first stream.
    pub(super) fn done(mut self, connection: Connection) -> Option<Lease> {
        self.host.take().map(|host| host.opened(connection))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            host.not_opened();
        }
    }
}
