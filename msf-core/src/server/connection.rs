//! What a handler may know of its connection.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{Extensions, HeaderValue};

use super::DrainSignal;
#[cfg(feature = "tls")]
use super::tls::TlsConnection;

/// What a handler may know of its connection; the server leaves one in every request's extensions.
///
/// ```
/// use http::Request;
/// use msf_core::server::{Body, Connection};
///
/// fn peer_of(request: &Request<Body>) -> Option<std::net::SocketAddr> {
///     request.extensions().get::<Connection>().map(Connection::peer)
/// }
/// # assert_eq!(peer_of(&Request::new(Body::empty())), None);
/// ```
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

/// The other end of the connection that a request came on, if this server left its [`Connection`] in the extensions.
///
/// It is a [`PeerSource`](crate::forwarded::PeerSource).
///
/// ```
/// use msf_core::{forwarded::PeerSource, server};
///
/// let source: PeerSource = server::peer;
/// assert_eq!(source(http::Request::new(()).extensions()), None);
/// ```
#[must_use]
pub fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<Connection>().map(Connection::peer)
}

#[derive(Clone)]
struct Shared {
    peer: SocketAddr,
    peer_value: OnceLock<HeaderValue>,
    local: SocketAddr,
    listener: usize,
    drain: DrainSignal,
    proxy: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<TlsConnection>>,
}

impl Connection {
    pub(super) fn new(
        peer: SocketAddr,
        local: SocketAddr,
        listener: usize,
        drain: DrainSignal,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                peer,
                peer_value: OnceLock::new(),
                local,
                listener,
                drain,
                proxy: None,
                #[cfg(feature = "tls")]
                tls: None,
            }),
        }
    }

    /// A connection from this address that nobody serves, for tests of whoever asks who the client is.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn from_peer(peer: SocketAddr) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::new(peer, local, 0, super::Drain::default().signal())
    }

    /// The connection of the client that the other end named.
    pub(super) fn relayed(self, client: SocketAddr) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.shared);
        shared.proxy = Some(shared.peer);
        shared.peer = client;
        shared.peer_value = OnceLock::new();
        Self {
            shared: Arc::new(shared),
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn encrypted(self, tls: TlsConnection) -> Self {
        let mut shared = Arc::unwrap_or_clone(self.shared);
        shared.tls = Some(Arc::new(tls));
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The address of the other end: the client's, or that of the proxy before it. Where the
    /// [PROXY protocol](super::ProxyProtocol) is spoken, the client that the proxy names.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.shared.peer
    }

    /// The IP address of the other end as text for a header, such as `X-Forwarded-For`: `192.0.2.7` or
    /// `2001:db8::7`. Written once per connection; a clone allocates nothing.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "an address always makes a header value"
    )]
    pub fn peer_value(&self) -> HeaderValue {
        let render = || {
            let text = self.shared.peer.ip().to_canonical().to_string();
            HeaderValue::from_maybe_shared(Bytes::from_owner(text))
                .expect("an address is visible ASCII")
        };
        self.shared.peer_value.get_or_init(render).clone()
    }

    /// The address on which the server listens.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// Which of several listeners it came to: the [place](super::Listener::place) that it was given, 0 unless set.
    #[must_use]
    pub fn listener(&self) -> usize {
        self.shared.listener
    }

    /// The proxy that named the client by the [PROXY protocol](super::ProxyProtocol).
    #[must_use]
    pub fn proxy(&self) -> Option<SocketAddr> {
        self.shared.proxy
    }

    /// What TLS says about the connection; `None` for a plain one.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&TlsConnection> {
        self.shared.tls.as_deref()
    }

    /// Whether the bytes are encrypted up to this server.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.shared.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Tells when the server drains, so that an endless response can end by itself.
    #[must_use]
    pub fn drain(&self) -> &DrainSignal {
        &self.shared.drain
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer())
            .field("local", &self.local())
            .finish_non_exhaustive()
    }
}
