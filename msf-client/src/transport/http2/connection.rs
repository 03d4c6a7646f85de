//! One connection: the sender, and the task behind it.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use msf_core::{
    body::Body,
    task::{self, Task},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::{TransportError, connect, connections::Shared, dial::dialed, upstream::Hop};

/// A connection that many requests share. When its last user drops it, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// What the callee allows, as far as it is known.
    streams_max: Arc<AtomicUsize>,
    _task: Task<()>,
}

impl Connection {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        addr: SocketAddr,
        hop: &Hop,
    ) -> Result<Self, TransportError> {
        match &shared.dial {
            None => Self::over(connect(addr, hop.connect_timeout).await?, shared, addr).await,
            Some(dial) => {
                let stream = dialed(&**dial, addr, hop.connect_timeout).await?;
                Self::over(stream, shared, addr).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        shared: &Arc<Shared>,
        addr: SocketAddr,
    ) -> Result<Self, TransportError> {
        let header_limit = u32::try_from(shared.settings.header_limit).unwrap_or(u32::MAX);
        let (sender, connection) = Builder::new(Spawn)
            .timer(TokioTimer::new())
            // A callee that vanished without a word is found by these.
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .initial_max_send_streams(NOT_KNOWN)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(connection_window(shared.settings.streams_max))
            .max_header_list_size(header_limit)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportError::Unsent {
                addr,
                source: error.into(),
            })?;
        shared.metrics.opened.inc();
        let open = shared.metrics.open.track();
        let streams_max = Arc::new(AtomicUsize::new(usize::MAX));
        let told = streams_max.clone();
        let task = task::spawn_root("client connection", async move {
            let _open = open;
            let mut connection = pin!(connection);
            let ended = poll_fn(|cx| {
                let polled = connection.as_mut().poll(cx);
                if polled.is_pending() {
                    let max = connection.current_max_send_streams();
                    // Until the callee has spoken, it is better to send on than to open connections.
                    told.store(
                        if max == NOT_KNOWN { usize::MAX } else { max },
                        Ordering::Relaxed,
                    );
                }
                polled
            });
            if let Err(error) = ended.await {
                // Whoever waits for an answer hears of it as well.
                tracing::debug!(%addr, %error, "connection failed");
            }
        });
        Ok(Self {
            sender,
            streams_max,
            _task: task,
        })
    }

    pub(super) fn sender(&self) -> SendRequest<Body> {
        self.sender.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn streams_max(&self) -> usize {
        self.streams_max.load(Ordering::Relaxed)
    }
}

/// hyper's tasks for one connection and its streams, which end with it.
#[derive(Clone, Copy, Debug)]
struct Spawn;

impl<F> Executor<F> for Spawn
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        task::spawn_root("client stream", future).detach();
    }
}

/// So much that no stream can use up what the others need, however slowly its answer is read: with a
/// window for each, a reader that stops holds up itself alone.
fn connection_window(streams_max: usize) -> u32 {
    let streams = u32::try_from(streams_max).unwrap_or(u32::MAX);
    // A window ends at 2^31 - 1 (RFC 9113 section 6.9.1).
    streams
        .saturating_add(1)
        .saturating_mul(STREAM_WINDOW)
        .clamp(STREAM_WINDOW, (1 << 31) - 1)
}

/// How many streams hyper opens before the callee has said how many it allows, and how we know that it
/// has not. A callee that allows exactly so many is taken for one that has not spoken: what is too
/// much waits inside of hyper then.
const NOT_KNOWN: usize = 7;
/// One stream's share of what may be on the way and unread: 64 KiB fill a line of 1 Gbit/s over half a
/// millisecond, as between machines of one place.
const STREAM_WINDOW: u32 = 64 << 10;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
