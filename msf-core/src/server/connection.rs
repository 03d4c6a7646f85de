//! One connection from accept to close.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpStream, select, time};
use tower_service::Service;

use super::{
    Body, DrainSignal, Limits, Phase,
    activity::{Activity, Next, Patience},
    handler::Handler,
    slots::Slot,
    stream::{self, StreamControl},
};
use crate::{BoxError, clock};

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

struct Shared {
    peer: SocketAddr,
    local: SocketAddr,
    drain: DrainSignal,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, local: SocketAddr, drain: DrainSignal) -> Self {
        Self {
            shared: Arc::new(Shared { peer, local, drain }),
        }
    }

    /// The address of the other end: the client's, or that of the proxy before it.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.shared.peer
    }

    /// The address on which the server listens.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.shared.local
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

/// Serves one connection to its end. The slot is held until the last user of the socket is gone.
pub(super) async fn serve<S, B>(
    tcp: TcpStream,
    connection: Connection,
    service: S,
    limits: Limits,
    slot: Slot,
) where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let drain = connection.drain().clone();
    let activity = Arc::new(Activity::new(clock::now()));
    let (io, mut control) = stream::split(tcp, activity.clone());
    let handler = Handler::new(service, connection, activity.clone(), limits);

    let ended = drive(io, handler, &activity, limits, &drain).await;
    tracing::trace!(?ended, "connection ended");
    let is_cut = match ended {
        Ended::Cut => true,
        Ended::Slow { partial } => {
            if partial {
                control.write_best_effort(REQUEST_TIMEOUT);
            }
            close(&mut control, &drain).await.is_err()
        }
        Ended::Closed => close(&mut control, &drain).await.is_err(),
    };
    if is_cut {
        control.cut();
        slot.report_cut();
    }
}

/// Why hyper's part of a connection is over.
#[derive(Debug)]
enum Ended {
    /// By either side, or handed over to an upgrade.
    Closed,
    /// A head did not arrive in time.
    Slow { partial: bool },
    /// The hard deadline of the drain has passed.
    Cut,
}

async fn drive<S, B>(
    io: stream::Stream,
    handler: Handler<S>,
    activity: &Activity,
    limits: Limits,
    drain: &DrainSignal,
) -> Ended
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let builder = builder(limits);
    let mut http = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), handler));
    let patience = Patience {
        header: limits.header_timeout,
        idle: limits.idle_timeout,
    };
    let mut timer = pin!(time::sleep(patience.header));
    // One future and not one for each phase: it is polled whenever the connection is.
    let mut change = pin!(drain.reached(Phase::Draining));
    let (mut is_draining, mut is_stopping, mut is_closing) = (false, false, false);
    let mut is_told = false;

    loop {
        // GOAWAY loses nothing. HTTP/1 has no such word: there every response says `Connection: close`
        // from now on (see `Handler`). Who comes during the drain speaks HTTP/2 only once the preface
        // is read, so this is asked after every poll.
        let polled = poll_fn(|cx| {
            let polled = http.as_mut().poll(cx);
            if polled.is_pending() && is_draining && !is_told && activity.is_http2() {
                is_told = true;
                http.as_mut().graceful_shutdown();
                return http.as_mut().poll(cx);
            }
            polled
        });
        select! {
            biased;
            outcome = polled => {
                if let Err(error) = outcome {
                    log_failure(error.as_ref());
                }
                return Ended::Closed;
            }
            () = change.as_mut() => {
                let phase = drain.phase();
                if phase == Phase::Cut {
                    return Ended::Cut;
                }
                is_draining = true;
                if phase == Phase::Stopping {
                    is_stopping = true;
                    timer.as_mut().reset(clock::now() + IDLE_GRACE);
                    if activity.is_busy() {
                        http.as_mut().graceful_shutdown();
                    }
                }
                change.set(drain.reached(if is_stopping { Phase::Cut } else { Phase::Stopping }));
            }
            () = &mut timer, if !is_closing => {
                if is_stopping {
                    // A request that was on its way when the drain began has had its chance.
                    is_closing = true;
                    http.as_mut().graceful_shutdown();
                    continue;
                }
                match activity.next(clock::now(), patience) {
                    Next::CheckAt(instant) => timer.as_mut().reset(instant),
                    Next::HeaderTimeout { partial } => return Ended::Slow { partial },
                    Next::Idle => {
                        is_closing = true;
                        http.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// The hard deadline came first.
struct Overdue;

/// Closes a connection that hyper has let go, after the end of its upgrade if it was upgraded.
async fn close(control: &mut StreamControl, drain: &DrainSignal) -> Result<(), Overdue> {
    select! {
        biased;
        () = control.until_released() => {}
        () = drain.reached(Phase::Cut) => return Err(Overdue),
    }
    // What lingers has had its answer, so the deadline ends the wait without counting as a cut.
    select! {
        biased;
        () = control.linger(LINGER_MAX) => {}
        () = drain.reached(Phase::Cut) => {}
    }
    Ok(())
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Activity` does this job for both protocols and for the bytes before they are told apart.
        .header_read_timeout(None)
        .max_buf_size(limits.header_limit);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A peer that vanished without a FIN is found by these pings.
        .keep_alive_interval(Some(HTTP2_PING_INTERVAL))
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .max_concurrent_streams(limits.http2_streams_max)
        .max_header_list_size(u32::try_from(limits.header_limit).unwrap_or(u32::MAX));
    builder
}

/// Clients break off all the time; only what we may have done wrong is worth a line.
fn log_failure(error: &(dyn Error + 'static)) {
    let is_clients_doing = error.downcast_ref::<hyper::Error>().is_some_and(|error| {
        error.is_parse()
            || error.is_incomplete_message()
            || error.is_canceled()
            || error.is_closed()
    });
    if is_clients_doing {
        tracing::debug!(error, "connection refused or given up");
    } else {
        tracing::debug!(error, "connection failed");
    }
}

/// The answer to a head that does not arrive, when a part of it did: there is no request to route, so
/// nobody else can give it.
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/problem+json\r\n\
    connection: close\r\n\
    content-length: 106\r\n\r\n\
    {\"title\":\"The request took too long to arrive\",\"status\":408,\"code\":\"request_timeout\",\"type\":\"about:blank\"}";

/// How long an idle HTTP/1 connection is still read from once the listener is closed: a request may be
/// on its way, and a reset is all that it would get otherwise.
const IDLE_GRACE: Duration = Duration::from_millis(250);
/// How long unread bytes are thrown away so that our last answer survives.
const LINGER_MAX: Duration = Duration::from_secs(1);
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_answer_is_well_formed() {
        let text = std::str::from_utf8(REQUEST_TIMEOUT).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], crate::problem::Code::RequestTimeout.as_str());
        assert_eq!(body["title"], crate::problem::Code::RequestTimeout.title());
    }
}
