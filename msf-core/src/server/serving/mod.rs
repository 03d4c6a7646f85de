//! One connection from accept to close.
//!
//! hyper has the socket while there is something to do ([`protocol`], under the eye of [`drive`](drive::drive)). An idle
//! connection of HTTP/1 is taken from it and [parked](park::park), until it says something or its time is over.

mod drive;
mod park;
mod protocol;
mod version;

use std::{convert::Infallible, error::Error, future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tokio::{net::TcpStream, select, time};
use tower_service::Service;

use self::{
    drive::{Ended, IDLE_GRACE, Terms},
    park::park,
    protocol::{begin, http1},
};
use super::{
    Body, Connection, DrainSignal, Limits, Phase, Refusal,
    activity::Activity,
    addresses::Addresses,
    front::{Front, NotOpened},
    handler::Handler,
    refused::Refusals,
    slots::Slot,
    stream::{self, Socket, StreamControl, Transport},
};
use crate::{BoxError, clock};

/// What a connection is served with.
pub(super) struct Serving<S> {
    pub(super) connection: Connection,
    pub(super) service: S,
    pub(super) limits: Limits,
    pub(super) refusals: Arc<Refusals>,
    pub(super) slot: Slot,
}

/// Serves one connection to its end. The slot is held until the last user of the socket is gone.
pub(super) fn serve<S, B>(
    tcp: TcpStream,
    serving: Serving<S>,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let activity = Arc::new(Activity::new(clock::now()));
    let transport = Transport::Plain(Socket::new(tcp, activity.clone()));
    serve_over(transport, activity, serving)
}

/// Serves one connection that begins with something else than HTTP.
///
/// `addresses` count the clients that a balancer names.
pub(super) async fn serve_behind<S, B>(
    front: Arc<Front>,
    addresses: Addresses,
    tcp: TcpStream,
    mut serving: Serving<S>,
) where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let drain = serving.connection.drain().clone();
    let activity = Arc::new(Activity::new(clock::now()));
    // On the heap, for a handshake needs more room than the connection does ever after.
    let opened = select! {
        biased;
        opened = Box::pin(open(&front, addresses, tcp, &mut serving, &activity)) => opened,
        () = drain.reached(Phase::Cut) => {
            serving.slot.report_cut();
            return;
        }
        () = given_up(&drain, &activity) => return,
    };
    match opened {
        Ok(transport) => {
            activity.on_open(clock::now());
            serve_over(transport, activity, serving).await;
        }
        // Whoever scans a port must not fill a disk.
        Err(error) => {
            let peer = serving.connection.peer();
            if let Some(reason) = error.reason() {
                serving.refusals.refused(reason, &serving.connection);
            }
            tracing::debug!(%peer, error = &error as &dyn Error, "connection refused before its first request");
        }
    }
}

/// When the server closes who has said nothing at all: as soon as an idle connection, and it counts as little.
async fn given_up(drain: &DrainSignal, activity: &Activity) {
    drain.reached(Phase::Stopping).await;
    time::sleep(IDLE_GRACE).await;
    if activity.has_partial_head() {
        future::pending::<()>().await;
    }
}

/// Learns what there is to know of a connection before HTTP.
async fn open<S>(
    front: &Front,
    addresses: Addresses,
    tcp: TcpStream,
    serving: &mut Serving<S>,
    activity: &Arc<Activity>,
) -> Result<Transport, NotOpened> {
    serving.connection = front
        .relayed(&tcp, serving.connection.clone(), activity)
        .await?;
    if serving.connection.proxy().is_some() {
        // Nobody has counted this client yet; and whoever has too much must not cost a handshake.
        let max = serving.limits.connections_per_address_max.unwrap_or(0);
        let (place, client) = (serving.connection.listener(), serving.connection.peer());
        serving.slot.hold(addresses.claim(place, client.ip(), max)?);
    }
    let (transport, connection) = front
        .transport(tcp, serving.connection.clone(), activity)
        .await?;
    serving.connection = connection;
    Ok(transport)
}

async fn serve_over<S, B>(mut transport: Transport, activity: Arc<Activity>, serving: Serving<S>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Serving {
        connection,
        service,
        limits,
        refusals,
        slot,
    } = serving;
    let drain = connection.drain().clone();
    // What TLS keeps between two requests cannot be put away.
    let may_park = transport.is_plain();
    let mut is_resumed = false;
    let mut ahead = Bytes::new();
    let (ended, mut control) = loop {
        let (stream, control) = stream::split(transport, ahead);
        let handler = Handler::new(
            service.clone(),
            connection.clone(),
            activity.clone(),
            limits,
            refusals.clone(),
        );
        let terms = Terms {
            activity: &activity,
            limits,
            drain: &drain,
            may_park,
        };
        // On the heap, so that all of it is gone while the connection is parked: hyper's buffers, and the room
        // for a request of the service.
        let ended = if is_resumed {
            Box::pin(http1(stream, handler, terms)).await
        } else {
            Box::pin(begin(stream, handler, terms)).await
        };
        let Ended::Parked { unread } = ended else {
            break (ended, control);
        };
        // A request that has begun is gone on with at once.
        if unread.is_empty()
            && let Some(ended) = park(&control, &activity, limits, &drain).await
        {
            break (ended, control);
        }
        is_resumed = true;
        ahead = unread;
        transport = Transport::Plain(control.into_socket(activity.clone()));
    };
    tracing::trace!(?ended, "connection ended");
    let is_cut = match ended {
        Ended::Cut => true,
        Ended::Refused(reason) => {
            refusals.refused(reason, &connection);
            if reason == Refusal::HeadTooSlow {
                control.write_best_effort(REQUEST_TIMEOUT);
            }
            close(&mut control, &drain).await.is_err()
        }
        Ended::Closed | Ended::Parked { .. } => close(&mut control, &drain).await.is_err(),
    };
    if is_cut {
        control.cut();
        slot.report_cut();
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

/// The answer to a head that does not arrive, when a part of it did: there is no request to route, so
/// nobody else can give it.
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/problem+json\r\n\
    connection: close\r\n\
    content-length: 106\r\n\r\n\
    {\"title\":\"The request took too long to arrive\",\"status\":408,\"code\":\"request_timeout\",\"type\":\"about:blank\"}";

/// How long unread bytes are thrown away so that our last answer survives.
const LINGER_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tower::util::BoxCloneSyncService;

    use super::*;

    type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

    fn size_of_future<I, F>(_start: impl FnOnce(I) -> F) -> usize {
        size_of::<F>()
    }

    /// What a parked connection keeps is its task, with room for the largest thing that the task ever waits for.
    #[test]
    fn the_task_of_a_connection_is_small() {
        let plain = size_of_future(|(tcp, serving)| serve::<App, Body>(tcp, serving));
        assert!(plain <= 1_344, "{plain} bytes");
        let behind = size_of_future(|(front, addresses, tcp, serving)| {
            serve_behind::<App, Body>(front, addresses, tcp, serving)
        });
        assert!(behind <= 2_304, "{behind} bytes");
    }

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
