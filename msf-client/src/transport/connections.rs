//! The handle, and what its clones share.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use http::Request;
use msf_core::{
    body::Body,
    clock,
    task::{self, Task},
};
use tokio::time;

use super::{
    ConnectionsBuilder, Dial, Protocol, TransportError, Upstream, builder::Settings,
    connection::Connection, exchange::exchange, gate::Admission, http2, metrics::TransportMetrics,
    pool::Pool, response::TransportResponse, send::Send, upstream::Hop,
};

/// Pooled connections to callees. A clone shares the pool.
///
/// Connections live as tasks of the runtime on which they were opened, so a runtime that ends takes
/// its connections along; a process with several runtimes gives each its own `Connections`.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
/// use msf_client::transport::Connections;
/// use msf_core::{body::Body, testing::TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// let server = TestServer::start(tower::service_fn(|_request| async {
///     Ok::<_, Infallible>(Response::new(Body::from("hello")))
/// }))
/// .await;
///
/// let connections = Connections::default();
/// for _ in 0..2 {
///     let request = Request::get("/").header("host", "greeter").body(Body::empty())?;
///     let response = connections.send(server.addr(), request).await?;
///     assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
/// }
/// assert_eq!(connections.open(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) metrics: TransportMetrics,
    /// How connections are made; over TCP if nobody says.
    pub(super) dial: Option<Arc<dyn Dial>>,
    // A std lock: it is held for a look into a map and never across an await. A worker has a pool of
    // its own, so that nobody waits for it; where threads share a pool they wait less than a hash takes.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pool: Pool<Connection>,
    http2: HashMap<SocketAddr, Arc<http2::Host>>,
    reaper: Option<Task<()>>,
    /// How often it looks.
    reap_interval: Duration,
}

impl Connections {
    /// Begins with the defaults.
    pub fn builder() -> ConnectionsBuilder {
        ConnectionsBuilder::default()
    }

    pub(super) fn new(
        settings: Settings,
        metrics: TransportMetrics,
        dial: Option<Arc<dyn Dial>>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    pool: Pool::new(),
                    http2: HashMap::new(),
                    reaper: None,
                    reap_interval: Duration::MAX,
                }),
                settings,
                metrics,
                dial,
            }),
        }
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// The request needs a `Host` header or an absolute `http` address; the address is sent in origin
    /// form, and the framing headers are the transport's. There is no limit on how long the answer
    /// may take: a caller has its own, such as `Deadline::run`.
    ///
    /// # Errors
    ///
    /// [`TransportError`](super::TransportError); its
    /// [`is_unsent`](super::TransportError::is_unsent) says whether it may be sent again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the exchange, unless nothing was sent: it closes the connection of
    /// HTTP/1.1, and resets the stream of HTTP/2.
    ///
    /// # Panics
    ///
    /// The future, outside a tokio runtime.
    pub fn send(&self, addr: SocketAddr, request: Request<Body>) -> Send {
        self.send_to(addr, &Upstream::new(), request)
    }

    /// As [`send`](Self::send), to a callee with settings of its own.
    pub fn send_to(&self, addr: SocketAddr, upstream: &Upstream, request: Request<Body>) -> Send {
        Send::new(self.clone(), addr, *upstream, request)
    }

    /// As [`send`](Self::send), without a box; a request that was not sent is in its place again.
    pub(crate) async fn exchange(
        &self,
        addr: SocketAddr,
        upstream: &Upstream,
        request: &mut Option<Request<Body>>,
        progress: &mut Progress,
    ) -> Result<TransportResponse, TransportError> {
        let hop = upstream.resolve(&self.shared.settings);
        match hop.protocol {
            Protocol::Http1 => exchange(&self.shared, addr, &hop, request, progress).await,
            // Boxed, so that the future of the other protocol does not carry it along.
            Protocol::H2c => {
                Box::pin(http2::exchange(&self.shared, addr, &hop, request, progress)).await
            }
        }
    }

    /// Connections that serve no request now and are kept for the next one.
    #[must_use]
    pub fn idle(&self) -> usize {
        let state = self.shared.lock();
        let multiplexed = state.http2.values().map(|host| host.counts().0);
        state.pool.idle() + multiplexed.sum::<usize>()
    }

    /// Connections that are open or being opened, idle ones included.
    #[must_use]
    pub fn open(&self) -> usize {
        let state = self.shared.lock();
        let multiplexed = state.http2.values().map(|host| host.counts().1);
        state.pool.open() + multiplexed.sum::<usize>()
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// How far a request came before its future was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not a byte was written.
    #[default]
    Unsent,
    /// Not a byte was written, and what is waited for is a place of this side's own.
    InLine,
    /// It was handed to a connection.
    Sent,
}

impl Shared {
    /// An idle connection that is not known to be closed.
    pub(super) fn take(&self, addr: SocketAddr) -> Option<Connection> {
        let now = clock::now();
        loop {
            let connection = self.lock().pool.take(addr, now)?;
            if !connection.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Gives a connection that is ready for the next request to whoever waits, or keeps it.
    pub(super) fn put(&self, addr: SocketAddr, connection: Connection) {
        // The result is dropped after the lock: it may be the connection.
        let refused = self.lock().pool.put(addr, connection, clock::now());
        drop(refused);
    }

    /// An idle connection after all, a share of the callee's connections, or a place in line.
    pub(super) fn admit(
        self: &Arc<Self>,
        addr: SocketAddr,
        hop: &Hop,
    ) -> Result<Admission<Connection>, Connection> {
        let mut state = self.lock();
        // In one look: a connection that came back in between would be kept while somebody waits for it.
        if let Some(connection) = state.pool.take(addr, clock::now()) {
            return Err(connection);
        }
        self.look_after_in(&mut state, hop);
        let (max, queue_max) = (hop.max_connections, hop.queue_max);
        Ok(state.pool.admit(addr, max, queue_max, hop.pool))
    }

    /// Closes the idle connections of a callee that has closed several of them.
    pub(super) fn distrust(&self, addr: SocketAddr) {
        self.lock().pool.distrust(addr);
    }

    /// The connections of HTTP/2 to a callee.
    pub(super) fn http2_host(&self, addr: SocketAddr) -> Arc<http2::Host> {
        let mut state = self.lock();
        let streams_max = self.settings.streams_max;
        let host = state.http2.entry(addr);
        host.or_insert_with(|| Arc::new(http2::Host::new(streams_max)))
            .clone()
    }

    /// Sees to it that somebody closes what is idle for too long.
    pub(super) fn look_after(self: &Arc<Self>, hop: &Hop) {
        self.look_after_in(&mut self.lock(), hop);
    }

    fn look_after_in(self: &Arc<Self>, state: &mut State, hop: &Hop) {
        let interval = (hop.pool.idle_timeout / 2).max(REAP_INTERVAL_MIN);
        let is_gone = state.reaper.as_ref().is_none_or(Task::is_finished);
        // One for all callees, which looks as often as the most impatient of them needs.
        if is_gone || interval < state.reap_interval {
            let reaping = reap(Arc::downgrade(self), interval);
            state.reap_interval = interval;
            state.reaper = Some(task::spawn_root("client pool", reaping));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The pool is whole between any two of its calls, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what was idle for too long, for as long as there are connections and a pool.
async fn reap(shared: Weak<Shared>, interval: Duration) {
    loop {
        time::sleep(interval).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut state = shared.lock();
        let is_alive = |connection: &Connection| !connection.is_closed();
        let now = clock::now();
        let has_http1 = state.pool.sweep(now, is_alive);
        // A host that a request holds just now may be about to open a connection.
        state
            .http2
            .retain(|_, host| host.sweep(now) || Arc::strong_count(host) > 1);
        if !has_http1 && state.http2.is_empty() {
            // Cleared under the lock, so that the next `reserve` starts another one.
            if let Some(own) = state.reaper.take() {
                own.detach();
            }
            return;
        }
    }
}

/// A timeout of a few milliseconds must not make a busy loop.
const REAP_INTERVAL_MIN: Duration = Duration::from_millis(50);
