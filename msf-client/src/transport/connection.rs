//! One connection: the sender, and the task that reads and writes the socket.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use msf_core::{
    body::Body,
    task::{self, Task},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};

use super::{TransportError, connections::Shared, dial::dialed, gate::Slot};

/// A connection that is ready for a request, or in use by one. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    // Stops when it is dropped: whoever owns the connection decides over its end, so that a request
    // that nobody waits for does not go on behind the caller's back.
    _task: Task<()>,
    _slot: Slot<Self>,
}

impl Connection {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        addr: SocketAddr,
        connect_timeout: Duration,
        slot: Slot<Self>,
    ) -> Result<Self, TransportError> {
        match &shared.dial {
            None => Self::over(connect(addr, connect_timeout).await?, shared, addr, slot).await,
            Some(dial) => {
                let stream = dialed(&**dial, addr, connect_timeout).await?;
                Self::over(stream, shared, addr, slot).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        shared: &Arc<Shared>,
        addr: SocketAddr,
        slot: Slot<Self>,
    ) -> Result<Self, TransportError> {
        let (sender, connection) = Builder::new()
            .max_header_size(shared.settings.header_limit)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportError::Unsent {
                addr,
                source: error.into(),
            })?;
        shared.metrics.opened.inc();
        let open = shared.metrics.open.track();
        let task = task::spawn_root("client connection", async move {
            let _open = open;
            if let Err(error) = connection.with_upgrades().await {
                // Whoever waits for an answer hears of it as well.
                tracing::debug!(%addr, %error, "connection failed");
            }
        });
        Ok(Self {
            sender,
            _task: task,
            _slot: slot,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// A socket that writes at once.
pub(super) async fn connect(
    addr: SocketAddr,
    timeout: Duration,
) -> Result<TcpStream, TransportError> {
    let stream = match time::timeout(timeout, TcpStream::connect(addr)).await {
        Ok(connected) => connected.map_err(|source| TransportError::Connect { addr, source })?,
        Err(_elapsed) => return Err(TransportError::ConnectTimeout { addr, timeout }),
    };
    // Heads and small bodies are written whole; waiting for more to send only delays them.
    stream
        .set_nodelay(true)
        .map_err(|source| TransportError::Connect { addr, source })?;
    Ok(stream)
}
