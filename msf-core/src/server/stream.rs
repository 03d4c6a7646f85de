//! A TCP stream that the connection's task keeps a hand on.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time,
};

use super::activity::Activity;
use crate::clock;

/// The half that hyper reads and writes, and that an upgraded connection takes with it.
///
/// The stream is shared, so that the connection's task can still close it when hyper has let go: after
/// an error answer, at the hard deadline, and when it belongs to a WebSocket handler by then.
#[derive(Debug)]
pub(super) struct Stream {
    transport: Transport,
    /// What was read before, and is read again before anything else.
    ahead: Bytes,
    /// Dropped with the stream, which is how the task learns that the last user is gone.
    _alive: oneshot::Sender<()>,
}

/// What carries the bytes of HTTP.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Socket),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<Socket>>),
}

/// The socket itself.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: Arc<TcpStream>,
    activity: Arc<Activity>,
}

/// The half that the connection's task keeps.
#[derive(Debug)]
pub(super) struct StreamControl {
    tcp: Arc<TcpStream>,
    is_plain: bool,
    gone: oneshot::Receiver<()>,
}

/// `ahead` was read by another stream over the same transport.
pub(super) fn split(transport: Transport, ahead: Bytes) -> (Stream, StreamControl) {
    let tcp = transport.socket().tcp.clone();
    let is_plain = transport.is_plain();
    let (alive, gone) = oneshot::channel();
    let stream = Stream {
        transport,
        ahead,
        _alive: alive,
    };
    let control = StreamControl {
        tcp,
        is_plain,
        gone,
    };
    (stream, control)
}

impl Transport {
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, activity: Arc<Activity>) -> Self {
        Self {
            tcp: Arc::new(tcp),
            activity,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    #[cfg(feature = "tls")]
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }
}

impl StreamControl {
    /// Waits until something arrives, the end included.
    pub(super) async fn readable(&self) {
        // What is wrong with the socket is said to who reads it.
        let _ready = self.tcp.readable().await;
    }

    /// The socket, for another stream.
    pub(super) fn into_socket(self, activity: Arc<Activity>) -> Socket {
        Socket {
            tcp: self.tcp,
            activity,
        }
    }

    /// Waits until nobody reads or writes the stream any more.
    pub(super) async fn until_released(&mut self) {
        // Nothing is ever sent: the channel ends when the stream is dropped.
        let _ended = (&mut self.gone).await;
    }

    /// Writes what the socket takes at once; used for a last word to a client that is being left. Over TLS
    /// nothing can be said any more: whoever could encrypt it is gone.
    pub(super) fn write_best_effort(&self, bytes: &[u8]) {
        if !self.is_plain {
            return;
        }
        if let Err(error) = self.tcp.try_write(bytes) {
            tracing::trace!(%error, "could not say goodbye");
        }
    }

    /// Ends the connection in both directions, whoever holds the other half.
    pub(super) fn cut(&self) {
        // It fails only when the peer has closed already.
        let _closed = SockRef::from(&*self.tcp).shutdown(Shutdown::Both);
    }

    /// Closes without destroying an answer that is still on its way.
    ///
    /// A socket that is closed with unread bytes sends RST, and a client that is still uploading then
    /// loses the 413 or 431 that it was sent. So the sending side ends first, and what the client still
    /// sends is read and thrown away for a short while (nginx calls this a lingering close).
    pub(super) async fn linger(&self, limit: Duration) {
        if SockRef::from(&*self.tcp).shutdown(Shutdown::Write).is_err() {
            return;
        }
        let drained = async {
            // On the heap: every connection would else have room for it from its first byte on.
            let mut scratch = vec![0; 4_096];
            while self.tcp.readable().await.is_ok() {
                match self.tcp.try_read(&mut scratch) {
                    Ok(0) => break,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                    Ok(_) | Err(_) => {}
                }
            }
        };
        let _in_time = time::timeout(limit, drained).await;
    }
}

impl Stream {
    /// Gives back what was read last.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        debug_assert!(self.ahead.is_empty(), "it is read first");
        self.ahead = bytes;
    }

    fn on_read(&self) {
        self.transport.socket().activity.on_read(clock::now);
    }
}

macro_rules! transport {
    ($self:ident, $io:ident => $call:expr) => {
        match &mut $self.get_mut().transport {
            Transport::Plain($io) => $call,
            #[cfg(feature = "tls")]
            Transport::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let len = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(len));
            this.on_read();
            return Poll::Ready(Ok(()));
        }
        let start = buf.filled().len();
        let read = match &mut this.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        ready!(read)?;
        if buf.filled().len() > start {
            this.on_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        transport!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        transport!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            ready!(this.tcp.poll_read_ready(cx))?;
            match this.read_ready(buf) {
                Ok(_) => return Poll::Ready(Ok(())),
                // Readiness was stale and is cleared now, so the next poll waits.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(cx, |tcp| tcp.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try(cx, |tcp| tcp.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called once the writer's own buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.on_flushed(clock::now);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.is_parking() {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(SockRef::from(&*self.tcp).shutdown(Shutdown::Write))
    }
}

impl Socket {
    /// Reads what has arrived. A short read has emptied the socket, so readiness is cleared with it:
    /// otherwise every request would cost a second system call that only says so.
    ///
    /// The readiness that is cleared is the one from before the read. What arrives in between is a newer
    /// one, which stays.
    fn read_ready(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut read = Err(io::ErrorKind::WouldBlock.into());
        let all_is_read = || io::Error::from(io::ErrorKind::WouldBlock);
        let attempt = self.tcp.try_io(Interest::READABLE, || {
            let room = buf.remaining();
            // It takes room that was never written; zeroing hyper's 8 KiB costs more than most reads. tokio
            // warns of its own methods in here because they touch readiness too: when this one would
            // block it clears what it saw itself, and the outer call then finds nothing of that tick to clear.
            let n = self.tcp.try_read_buf(buf)?;
            let is_short = (1..room).contains(&n);
            read = Ok(n);
            if is_short { Err(all_is_read()) } else { Ok(()) }
        });
        match attempt {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => read,
        }
    }

    fn poll_try<T>(
        &self,
        cx: &mut Context<'_>,
        attempt: impl Fn(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let is_ready = self.tcp.poll_write_ready(cx);
            if is_ready.is_pending() {
                self.activity.on_blocked();
            }
            ready!(is_ready)?;
            match attempt(&self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}
