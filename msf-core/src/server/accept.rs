//! The accept loop.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    select, time,
};
use tower_service::Service;

use super::{
    Body, Connection, DrainSignal, Limits, Phase, connection,
    slots::{Slot, Slots},
};
use crate::{
    BoxError,
    backoff::{Backoff, Delays, Jitter},
    task,
};

/// Accepts and serves until the drain reaches [`Phase::Stopping`], then closes the listener.
pub(super) async fn run<S, B>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    slots: &Slots,
    drain: &DrainSignal,
) where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let start = move |tcp, connection, slot| {
        let served = connection::serve(tcp, connection, service.clone(), limits, slot);
        task::spawn("connection", served).detach();
    };
    let mut acceptor = Acceptor {
        listener,
        slots,
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
    // The kernel has completed these handshakes: for their clients we have accepted, and closing the
    // listener would reset them.
    while let Some((tcp, connection, slot)) = acceptor.next_waiting() {
        start(tcp, connection, slot);
    }
}

type Accepted = (TcpStream, Connection, Slot);

struct Acceptor<'a> {
    listener: TcpListener,
    slots: &'a Slots,
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
            match self.listener.accept().await {
                Ok((tcp, peer)) => {
                    self.delays.reset();
                    if let Some(connection) = self.prepare(&tcp, peer) {
                        return (tcp, connection, self.slots.occupy(reserved));
                    }
                }
                Err(error) if is_clients_doing(&error) => {}
                Err(error) => {
                    drop(reserved);
                    let wait = self.delays.next_delay();
                    tracing::error!(%error, ?wait, "cannot accept connections; trying again");
                    time::sleep(wait).await;
                }
            }
        }
    }

    /// A connection that waits in the kernel's queue now, if there is a slot for it.
    fn next_waiting(&self) -> Option<Accepted> {
        loop {
            let reserved = self.slots.try_reserve()?;
            let mut cx = Context::from_waker(Waker::noop());
            match self.listener.poll_accept(&mut cx) {
                Poll::Ready(Ok((tcp, peer))) => {
                    if let Some(connection) = self.prepare(&tcp, peer) {
                        return Some((tcp, connection, self.slots.occupy(reserved)));
                    }
                }
                Poll::Ready(Err(_)) | Poll::Pending => return None,
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
        Some(Connection::new(peer, local, self.drain.clone()))
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
