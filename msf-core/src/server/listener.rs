//! Where a server listens.

use std::{io, net::SocketAddr, sync::Arc};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::{Limits, ProxyProtocol, front::Front};

/// A bound TCP socket.
///
/// Bound before the server starts, so that a busy port is an error at the start and port 0 is known
/// ([`Listener::local_addr`]) before the first request.
///
/// ```
/// use msf_core::server::Listener;
///
/// # fn main() -> Result<(), msf_core::server::BindError> {
/// let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
/// assert_ne!(listener.local_addr().port(), 0);
///
/// let taken = Listener::bind(listener.local_addr()).unwrap_err();
/// assert!(taken.to_string().contains("in use"));
/// # Ok(())
/// # }
/// ```
///
/// What it does beside plain HTTP is said here: [`limits`](Self::limits) of its own,
/// [`proxy_protocol`](Self::proxy_protocol), and with the feature `tls` the certificates.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    addr: SocketAddr,
    place: usize,
    limits: Option<Limits>,
    front: Front,
}

/// A listener that a runtime has taken.
pub(super) struct Accepting {
    pub(super) socket: TcpListener,
    pub(super) place: usize,
    pub(super) limits: Option<Limits>,
    pub(super) front: Option<Arc<Front>>,
}

/// An address on which one cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {}", advice(.source, .addr))]
#[non_exhaustive]
pub struct BindError {
    /// The address that was asked for.
    pub addr: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

impl Listener {
    /// Binds an address; port 0 lets the system choose a free one.
    ///
    /// # Errors
    ///
    /// [`BindError`], whose text says what to do.
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        bind(addr, Sharing::Alone).map_err(|source| BindError { addr, source })
    }

    /// Binds an address `count` times (`SO_REUSEPORT`), so that the kernel spreads connections over
    /// as many accept loops.
    ///
    /// # Errors
    ///
    /// [`BindError`]; also when another process listens there already, although the system would
    /// allow to share the port with a process of the same user.
    pub fn bind_shared(addr: SocketAddr, count: usize) -> Result<Vec<Self>, BindError> {
        let failed = |source| BindError { addr, source };
        let mut listeners = Vec::with_capacity(count);
        // Without this probe a second start of the same service would silently take half of the
        // first one's connections.
        let mut addr_bound = Self::bind(addr)?.addr;
        for _ in 0..count.max(1) {
            let listener = bind(addr_bound, Sharing::Shared).map_err(failed)?;
            addr_bound = listener.addr;
            listeners.push(listener);
        }
        Ok(listeners)
    }

    /// Takes a socket that is already listening, such as one passed by systemd.
    ///
    /// # Errors
    ///
    /// What the system says when asked for the address or for non-blocking mode.
    pub fn from_std(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        Ok(Self {
            socket,
            addr,
            place: 0,
            limits: None,
            front: Front::default(),
        })
    }

    /// Which of several listeners this is; handlers read it from
    /// [`Connection::listener`](super::Connection::listener).
    #[must_use]
    pub const fn place(mut self, place: usize) -> Self {
        self.place = place;
        self
    }

    /// Grants its clients something else than [`Server::limits`](super::Server::limits) does.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Expects every connection to begin with a header of the [PROXY protocol](ProxyProtocol).
    #[must_use]
    pub fn proxy_protocol(mut self, expected: ProxyProtocol) -> Self {
        self.front.proxy_protocol = Some(expected);
        self
    }

    /// Speaks TLS, and nothing else; see [`tls`](super::tls).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: super::Tls) -> Self {
        self.front.tls = Some(tls);
        self
    }

    /// The address, with the port that the system chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Hands the socket to the current runtime.
    pub(super) fn into_tokio(self) -> io::Result<Accepting> {
        Ok(Accepting {
            socket: TcpListener::from_std(self.socket)?,
            place: self.place,
            limits: self.limits,
            front: self.front.into_needed(),
        })
    }

    /// With a share of its own connections, if it has limits of its own.
    pub(super) fn shared_by(mut self, shards: u32) -> Self {
        if let Some(limits) = &mut self.limits {
            limits.connections_max = limits.connections_max.div_ceil(shards);
        }
        self
    }
}

#[derive(Clone, Copy)]
enum Sharing {
    Alone,
    Shared,
}

fn bind(addr: SocketAddr, sharing: Sharing) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted service must not wait for the old connections' TIME_WAIT. On Windows the option
    // means something else: it would let another process take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    if let Sharing::Shared = sharing {
        socket.set_reuse_port(true)?;
    }
    #[cfg(not(unix))]
    let _: Sharing = sharing;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Listener::from_std(socket.into())
}

fn advice(error: &io::Error, addr: &SocketAddr) -> String {
    let port = addr.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the port is in use; stop the process that holds it (`ss -ltnp 'sport = :{port}'` names \
             it), or choose another address, or port 0 for a free one"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "no permission; choose a port above 1023, or give the process CAP_NET_BIND_SERVICE for \
             port {port}"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "this machine has no address {}; 0.0.0.0 stands for all it has",
                addr.ip()
            )
        }
        _ => error.to_string(),
    }
}

/// Connections that wait in the kernel; it lowers the number to `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_port_is_not_shared_with_others() {
        let shared = Listener::bind_shared(([127, 0, 0, 1], 0).into(), 2).unwrap();
        assert_eq!(shared.len(), 2);
        let addr = shared[0].local_addr();
        assert_eq!(shared[1].local_addr(), addr);
        let error = Listener::bind_shared(addr, 2).unwrap_err();
        assert!(error.to_string().contains("in use"), "{error}");
    }

    #[test]
    fn a_foreign_address_is_explained() {
        let error = Listener::bind(([192, 0, 2, 1], 0).into()).unwrap_err();
        assert!(
            error.to_string().contains("no address 192.0.2.1"),
            "{error}"
        );
    }
}
