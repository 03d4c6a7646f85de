//! From HTTP to another protocol on the same connection.

use std::{
    any::Any,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{TransportError, connection::Connection};

/// In the extensions of a request: its `Upgrade` header is sent, and the callee may switch protocols.
///
/// Without it the header is removed. Only HTTP/1.1 can switch; over HTTP/2 such a request is refused
/// as [`TransportError::InvalidRequest`].
///
/// Whoever asks for somebody else can leave what is needed then: it comes back with the connection.
///
/// ```
/// use http::Request;
/// use msf_client::transport::AllowUpgrade;
///
/// let request = Request::get("/chat")
///     .header("upgrade", "websocket")
///     .extension(AllowUpgrade::new())
///     .body(())?;
/// # drop(request);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct AllowUpgrade {
    token: Option<Token>,
}

type Token = Arc<dyn Any + Send + Sync>;

/// What is dropped with the connection.
type Kept = Box<dyn Any + Send>;

impl AllowUpgrade {
    /// The callee may switch.
    #[must_use]
    pub const fn new() -> Self {
        Self { token: None }
    }

    /// The callee may switch, and then [`OnUpgrade::token`] has this value.
    #[must_use]
    pub fn with_token<T: Any + Send + Sync>(token: Arc<T>) -> Self {
        Self { token: Some(token) }
    }
}

/// What a request asks for that may switch.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its `Upgrade` header.
    pub(super) protocols: HeaderValue,
    pub(super) allowed: AllowUpgrade,
}

/// A connection that has left HTTP: what is written and read is the new protocol's.
///
/// It keeps its place among the callee's connections until it is dropped, which closes it.
pub struct Upgraded {
    io: TokioIo<hyper::upgrade::Upgraded>,
    _connection: Connection,
    _kept: Option<Kept>,
}

/// Waits until the connection has left HTTP. Made by [`OnUpgrade::of`].
///
/// Dropping it closes the connection.
#[must_use = "futures do nothing unless polled"]
pub struct OnUpgrade {
    inner: hyper::upgrade::OnUpgrade,
    connection: Option<Connection>,
    token: Option<Token>,
    kept: Option<Kept>,
    addr: SocketAddr,
}

/// [`OnUpgrade`] in the extensions of an answer, where everything can be cloned.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<OnUpgrade>>>);

impl OnUpgrade {
    /// Takes the connection from an answer that switched protocols: the first time only, and only if
    /// the answer is a `101`.
    #[must_use]
    pub fn of<B>(response: &mut Response<B>) -> Option<Self> {
        let Shared(shared) = response.extensions_mut().remove()?;
        let mut place = shared.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }

    /// What was left with [`AllowUpgrade::with_token`], if it is of this type.
    #[must_use]
    pub fn token<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.token.clone()?.downcast().ok()
    }

    /// Keeps a value for as long as there is the connection that was left in an answer, if one was.
    pub(crate) fn keep<B>(response: &Response<B>, kept: impl Any + Send) {
        if let Some(Shared(shared)) = response.extensions().get() {
            let mut place = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(upgrade) = &mut *place {
                upgrade.kept = Some(Box::new(kept));
            }
        }
    }

    /// Leaves the connection in the answer that switched protocols on it.
    pub(super) fn leave_in<B>(
        response: &mut Response<B>,
        connection: Connection,
        asked: Option<&Asked>,
        addr: SocketAddr,
    ) {
        let upgrade = Self {
            inner: hyper::upgrade::on(&mut *response),
            connection: Some(connection),
            token: asked.and_then(|asked| asked.allowed.token.clone()),
            kept: None,
            addr,
        };
        let shared = Shared(Arc::new(Mutex::new(Some(upgrade))));
        response.extensions_mut().insert(shared);
    }
}

/// Whether the callee has switched to what it was asked for, and to one thing only.
pub(super) fn is_among(headers: &HeaderMap, asked: &Asked) -> bool {
    let mut named = headers.get_all(header::UPGRADE).iter();
    let (Some(protocol), None) = (named.next(), named.next()) else {
        return false;
    };
    let protocol = protocol.as_bytes().trim_ascii();
    let mut tokens = asked.protocols.as_bytes().split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(protocol)) && !protocol.is_empty()
}

impl Future for OnUpgrade {
    type Output = Result<Upgraded, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addr = self.addr;
        Pin::new(&mut self.inner).poll(cx).map(|outcome| {
            let reset = |source: msf_core::BoxError| TransportError::Reset { addr, source };
            let io = outcome.map_err(|error| reset(error.into()))?;
            let connection = self
                .connection
                .take()
                .ok_or_else(|| reset("it was taken before".into()))?;
            Ok(Upgraded {
                io: TokioIo::new(io),
                _connection: connection,
                _kept: self.kept.take(),
            })
        })
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for AllowUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowUpgrade").finish_non_exhaustive()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnUpgrade")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
