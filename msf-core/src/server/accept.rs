//! The accept loop.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    select, time,
};
use tower_service::Service;

use super::{
    Body, Connection, DrainSignal, Limits, Phase, Refusal,
    addresses::Addresses,
    front::Front,
    refused::Refusals,
    serving::{self, Serving},
    slots::{Reserved, Slot, Slots},
};
use crate::{
    BoxError,
    backoff::{Backoff, Delays, Jitter},
    task,
};

/// Who is let in, and who hears of those who are not.
pub(super) struct Guard<'a> {
    pub(super) slots: &'a Slots,
    pub(super) addresses: &'a Addresses,
    pub(super) refusals: Arc<Refusals>,
}

/// Accepts and serves until the drain reaches [`Phase::Stopping`], then closes the listener.
pub(super) async fn run<S, B>(
    listener: TcpListener,
    place: usize,
    front: Option<Arc<Front>>,
    service: S,
    limits: Limits,
    guard: Guard<'_>,
    drain: &DrainSignal,
) where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Guard {
        slots,
        addresses,
        refusals,
    } = guard;
    let heard = Arc::clone(&refusals);
    // Behind a balancer that speaks for its clients, all connections have its address; they are counted once it has
    // said whose they are.
    let is_relayed = front
        .as_ref()
        .is_some_and(|front| front.proxy_protocol.is_some());
    let clients = addresses.clone();
    let start = move |tcp, connection, slot| {
        let serving = Serving {
            connection,
            service: service.clone(),
            limits,
            refusals: heard.clone(),
            slot,
        };
        match front.clone() {
            None => task::spawn("connection", serving::serve(tcp, serving)).detach(),
            Some(front) => {
                let served = serving::serve_behind(front, clients.clone(), tcp, serving);
                task::spawn("connection", served).detach();
            }
        }
    };
    let mut acceptor = Acceptor {
        listener,
        place,
        slots,
        addresses: (!is_relayed).then_some(addresses),
        refusals: &refusals,
        limits,
        drain,
        delays: error_backoff().delays(),
    };
    let mut stopping = pin!(drain.reached(Phase::Stopping));
    loop {
        select! {
            biased;
            () = &mut stopping => break,
            (tcp, connection, slot) = acceptor.next() => start(tcp, connection, slot),
        }
    }
    // The kernel goes on completing handshakes while we close, and closing resets those that nobody has
    // accepted. So new ones are stopped first, and the last ones are waited for.
    let is_refusing = match refuse_handshakes(&acceptor.listener) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "late connections may be reset");
            false
        }
    };
    let settled = time::sleep(HANDSHAKE_MAX);
    let mut settled = pin!(settled);
    let mut end = pin!(async {
        if is_refusing {
            drain.reached(Phase::Cut).await;
        } else {
            // The queue may never be empty.
            time::sleep(HANDSHAKE_MAX).await;
        }
    });
    loop {
        // Where every slot is taken, who waits in the kernel waits for one to become free; only then does
        // the queue tell whether it is empty.
        let reserved = select! {
            biased;
            () = &mut end => break,
            reserved = slots.reserve() => reserved,
        };
        select! {
            biased;
            () = &mut end => break,
            accepted = acceptor.accept(reserved) => {
                if let Some((tcp, connection, slot)) = accepted {
                    start(tcp, connection, slot);
                }
            }
            () = &mut settled => break,
        }
    }
}

/// Lets the kernel drop the first packet of every new handshake, and nothing else.
///
/// Its client sends it again after a second, finds the port closed and hears so, which is an honest
/// refusal; a reset after a completed handshake looks like a crash. The filter is a classic BPF program over
/// the TCP header, whose byte 13 holds the flags: SYN without ACK (RFC 9293 section 3.1).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refuse_handshakes(listener: &TcpListener) -> io::Result<()> {
    use socket2::SockFilter;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(0x30, 0, 0, 13),       // A = byte 13
        SockFilter::new(0x54, 0, 0, 0x12),     // A = A & (SYN | ACK)
        SockFilter::new(0x15, 0, 1, 0x02),     // if A == SYN
        SockFilter::new(0x06, 0, 0, 0),        //     drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // keep
    ])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refuse_handshakes(_listener: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

type Accepted = (TcpStream, Connection, Slot);

struct Acceptor<'a> {
    listener: TcpListener,
    place: usize,
    slots: &'a Slots,
    /// `None` where the address says nothing.
    addresses: Option<&'a Addresses>,
    refusals: &'a Refusals,
    limits: Limits,
    drain: &'a DrainSignal,
    delays: Delays,
}

impl Acceptor<'_> {
    /// The next connection, once there is a slot for it. Cancel-safe: a slot is taken before the
    /// connection, and both are handed over together.
    async fn next(&mut self) -> Accepted {
        loop {
            let reserved = self.slots.reserve().await;
            if let Some(accepted) = self.accept(reserved).await {
                return accepted;
            }
        }
    }

    /// The next connection, for a slot that was reserved; `None` when there was none to be had.
    async fn accept(&mut self, reserved: Reserved) -> Option<Accepted> {
        match self.listener.accept().await {
            Ok((tcp, peer)) => {
                self.delays.reset();
                let connection = self.prepare(&tcp, peer)?;
                let max = self.limits.connections_per_address_max.unwrap_or(0);
                let claim = match self.addresses {
                    Some(addresses) => addresses.claim(self.place, peer.ip(), max),
                    None => Ok(None),
                };
                let Ok(claim) = claim else {
                    // Not a word: whoever has so many connections would be served by being answered.
                    self.refusals.refused(Refusal::AddressFull, &connection);
                    tracing::debug!(%peer, max, "the address has as many connections as it may");
                    return None;
                };
                let mut slot = self.slots.occupy(reserved);
                slot.hold(claim);
                Some((tcp, connection, slot))
            }
            Err(error) if is_clients_doing(&error) => None,
            Err(error) => {
                drop(reserved);
                let wait = self.delays.next_delay();
                tracing::error!(%error, ?wait, "cannot accept connections; trying again");
                time::sleep(wait).await;
                None
            }
        }
    }

    /// Sets the options of a socket; `None` when its client is gone already.
    fn prepare(&self, tcp: &TcpStream, peer: SocketAddr) -> Option<Connection> {
        // Responses are written whole, so waiting for more to send only adds latency.
        tcp.set_nodelay(true).ok()?;
        let socket = SockRef::from(tcp);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket
            .set_tcp_user_timeout(Some(self.limits.write_timeout))
            .ok()?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _: SockRef<'_> = socket;
        let local = tcp.local_addr().ok()?;
        Some(Connection::new(peer, local, self.place, self.drain.clone()))
    }
}

/// The client left the queue before we came; nothing is wrong with the listener.
fn is_clients_doing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// For a process out of file descriptors: trying at once would only burn its time.
fn error_backoff() -> Backoff {
    Backoff::exponential(Duration::from_millis(10), Duration::from_secs(1))
        .expect("the base is above zero and below the cap")
        .jitter(Jitter::Equal)
}

/// How long a handshake that has begun may take to end: the way to the client and back.
const HANDSHAKE_MAX: Duration = Duration::from_millis(100);
