//! Connections that are made otherwise than over TCP.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time,
};

use super::TransportError;

/// How connections are made, where that is not over TCP: to services of a test that are in the same process, to Unix
/// sockets, through a proxy.
///
/// ```
/// use std::{io, net::SocketAddr};
/// use msf_client::transport::{Connections, Dial, Dialed, Dialing};
///
/// /// Nobody is there.
/// #[derive(Debug)]
/// struct Nowhere;
///
/// impl Dial for Nowhere {
///     fn dial(&self, _addr: SocketAddr) -> Dialing {
///         Box::pin(async { Err::<Dialed, _>(io::ErrorKind::ConnectionRefused.into()) })
///     }
/// }
///
/// let connections = Connections::builder().dial(Nowhere).build();
/// # drop(connections);
/// ```
pub trait Dial: fmt::Debug + Send + Sync + 'static {
    /// Makes a connection to an address. It is given up when it takes longer than the timeout of a connection.
    fn dial(&self, addr: SocketAddr) -> Dialing;
}

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Dialed>> + Send>>;

/// Whatever bytes go through.
pub struct Dialed(Pin<Box<dyn Stream>>);

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Dialed {
    /// A connection over this.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

/// A connection, in time.
pub(super) async fn dialed(
    dial: &dyn Dial,
    addr: SocketAddr,
    timeout: Duration,
) -> Result<Dialed, TransportError> {
    match time::timeout(timeout, dial.dial(addr)).await {
        Ok(dialed) => dialed.map_err(|source| TransportError::Connect { addr, source }),
        Err(_elapsed) => Err(TransportError::ConnectTimeout { addr, timeout }),
    }
}

impl AsyncRead for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Dialed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").finish_non_exhaustive()
    }
}
