//! One request and the head of its answer.

use std::{error::Error as StdError, net::SocketAddr, sync::Arc};

use http::Request;
use msf_core::{body::Body, clock};
use tokio::time;

use super::{
    super::{
        TransportError,
        connections::{Progress, Shared},
        exchange::{STALE_MAX, TAKEN},
        held::Hold,
        response::{self, TransportResponse},
        trailers,
        upstream::Hop,
    },
    connection::Connection,
    host::{Admission, Grant, Host, Lease, Opening},
    prepare::prepared,
};

/// Sends on a stream of a connection that is there, or on a new connection.
///
/// A connection may be on its way out when a request is handed to it: hyper gives the request back, or
/// the callee says that it did not look at it. Then the next connection takes it, as long as nothing of
/// its body is gone.
pub(in super::super) async fn exchange(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    hop: &Hop,
    request: &mut Option<Request<Body>>,
    progress: &mut Progress,
) -> Result<TransportResponse, TransportError> {
    let (parts, mut body) = request.take().ok_or(TAKEN)?.into_parts();
    let host = shared.http2_host(addr);
    let until = clock::now() + hop.queue_timeout;
    let mut failures = 0;
    loop {
        let wire = match prepared(&parts, &body) {
            Ok(wire) => wire,
            Err(error) => return Err(error),
        };
        let lease = match lease(shared, &host, addr, hop, until, progress).await {
            Ok(lease) => lease,
            Err(error) => {
                *request = Some(Request::from_parts(parts, body));
                return Err(error);
            }
        };
        let (outgoing, hold) = if http_body::Body::is_end_stream(&body) {
            (std::mem::take(&mut body), None)
        } else {
            let announced = trailers::announced(wire.headers());
            let hold = Hold::new(std::mem::take(&mut body), announced);
            (hold.body(), Some(hold))
        };
        *progress = Progress::Sent;
        let sending = lease
            .connection
            .sender()
            .try_send_request(wire.map(|()| outgoing));
        // Whoever stops waiting takes the rest of the upload along.
        let guard = Upload(hold);
        let mut error = match sending.await {
            Ok(response) => {
                let hold = guard.keep();
                return Ok(response::multiplexed(response, lease, hold, shared));
            }
            Err(error) => error,
        };
        let was_handed_back = error.take_message().is_some();
        let error = error.into_error();
        let is_refused = was_handed_back || is_refused(&error);
        // Who refuses a stream has too much to do; a connection on its way out says nothing of the kind.
        let max = match cause(&error) {
            Some(cause) if is_refused && cause.is_reset() => REFUSED_MAX,
            _ => STALE_MAX,
        };
        let failed = match guard.failure() {
            Some(source) => TransportError::RequestBody { source },
            None if was_handed_back => TransportError::Unsent {
                addr,
                source: error.into(),
            },
            None if is_refused => TransportError::Refused {
                addr,
                source: error.into(),
            },
            None => of_exchange(addr, error),
        };
        if !failed.is_unsent() {
            return Err(failed);
        }
        *progress = Progress::Unsent;
        shared.metrics.stale.inc();
        let Some(back) = guard.reclaim() else {
            // Nothing was done about it, but a part of its body is gone: only who has a copy can repeat it.
            return Err(failed);
        };
        body = back;
        failures += 1;
        if failures > max {
            *request = Some(Request::from_parts(parts, body));
            return Err(failed);
        }
    }
}

/// A stream, from whatever connection.
async fn lease(
    shared: &Arc<Shared>,
    host: &Arc<Host>,
    addr: SocketAddr,
    hop: &Hop,
    until: time::Instant,
    progress: &mut Progress,
) -> Result<Lease, TransportError> {
    loop {
        let lease = match host.admit(hop) {
            Admission::Stream(lease) => lease,
            Admission::Open(opening) => return open(shared, host, addr, hop, opening).await,
            Admission::Wait(granted) => {
                let _waits = shared.metrics.queue.track();
                *progress = Progress::InLine;
                let granted = time::timeout_at(until, granted).await;
                *progress = Progress::Unsent;
                match granted {
                    Ok(Ok(Grant::Stream(lease))) => lease,
                    Ok(Ok(Grant::Open(opening))) => {
                        return open(shared, host, addr, hop, opening).await;
                    }
                    Ok(Err(_)) | Err(_) => {
                        shared.metrics.queue_timeout.inc();
                        return Err(TransportError::QueueTimeout {
                            addr,
                            timeout: hop.queue_timeout,
                        });
                    }
                }
            }
            Admission::Full => {
                shared.metrics.queue_full.inc();
                return Err(TransportError::QueueFull {
                    addr,
                    limit: hop.queue_max,
                });
            }
        };
        if !lease.is_closed() {
            shared.metrics.reused.inc();
            return Ok(lease);
        }
    }
}

async fn open(
    shared: &Arc<Shared>,
    host: &Arc<Host>,
    addr: SocketAddr,
    hop: &Hop,
    opening: Opening,
) -> Result<Lease, TransportError> {
    shared.look_after(hop);
    match Connection::open(shared, addr, hop).await {
        Ok(connection) => opening.done(connection).ok_or(TransportError::QueueFull {
            addr,
            limit: hop.queue_max,
        }),
        // It was to be one more; if the others have room, nobody has to know.
        Err(error) => host.take_any().ok_or(error),
    }
}

/// Ends an upload when its request is given up.
struct Upload(Option<Hold>);

impl Upload {
    fn keep(mut self) -> Option<Hold> {
        self.0.take()
    }

    fn failure(&self) -> Option<msf_core::BoxError> {
        self.0.as_ref()?.take_error()
    }

    /// The body as it was; `None` if it cannot be had any more.
    fn reclaim(mut self) -> Option<Body> {
        match self.0.take() {
            Some(hold) => hold.reclaim(),
            None => Some(Body::empty()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(hold) = &self.0 {
            hold.abort();
        }
    }
}

/// Whether the callee said that it did nothing about the request (RFC 9113 section 8.7): it refused the
/// stream, or its `GOAWAY` names an earlier stream as the last one that it looked at.
fn is_refused(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|cause| {
        cause.is_remote()
            && (cause.is_go_away()
                || cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// What became of a request of which something may have been written.
fn of_exchange(addr: SocketAddr, error: hyper::Error) -> TransportError {
    // What this side found wrong is a callee that breaks the protocol, or speaks another one.
    if cause(&error).is_some_and(|cause| cause.is_library() && !cause.is_io()) {
        return TransportError::Protocol {
            addr,
            source: error.into(),
        };
    }
    TransportError::of_exchange(addr, error)
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

/// How often a request goes to a callee again that refuses it at once. The next to try is another instance.
const REFUSED_MAX: usize = 1;
