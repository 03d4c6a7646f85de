//! One request and the head of its answer.

use std::{net::SocketAddr, sync::Arc};

use http::{Request, Response, StatusCode, header};
use msf_core::{body::Body, clock};
use tokio::time::{self, Instant};

use super::{
    TransportError,
    connection::Connection,
    connections::{Progress, Shared},
    gate::{Admission, Grant, Waiting},
    held::Hold,
    prepare::{Terms, prepare},
    response::{self, TransportResponse},
    upgrade::{self, OnUpgrade},
    upstream::Hop,
};

/// Sends on an idle connection, or on a new one when there is none or the idle ones are stale; when
/// there may be no other one, waits in line.
///
/// A callee may close an idle connection just when a request is handed to it. hyper gives the request
/// back if nothing of it was written, and then the next connection takes it without any loss; what
/// was written is never sent again.
///
/// The request is taken from its place, and is there again after an error if it is known that nothing of
/// it was written and another instance could take it.
pub(super) async fn exchange(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    hop: &Hop,
    request: &mut Option<Request<Body>>,
    progress: &mut Progress,
) -> Result<TransportResponse, TransportError> {
    let terms = match request.as_mut().map_or(Err(TAKEN), prepare) {
        Ok(terms) => terms,
        Err(error) => {
            *request = None;
            return Err(error);
        }
    };
    let mut stale = 0;
    while stale < STALE_MAX {
        let Some(connection) = shared.take(addr) else {
            break;
        };
        shared.metrics.reused.inc();
        match attempt(shared, addr, connection, request, &terms, progress).await {
            Err(_) if request.is_some() => {
                shared.metrics.stale.inc();
                stale += 1;
            }
            outcome => return outcome,
        }
    }
    if stale == STALE_MAX {
        // The others are older still.
        shared.distrust(addr);
    }
    // Boxed, so that the future of a request that finds an idle connection does not carry it along.
    let outcome = match Box::pin(fresh(shared, addr, hop, progress)).await {
        Ok(connection) => attempt(shared, addr, connection, request, &terms, progress).await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        restore(request, &terms);
    }
    outcome
}

/// A new connection, or one that another request has just done with.
async fn fresh(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    hop: &Hop,
    progress: &mut Progress,
) -> Result<Connection, TransportError> {
    let until = clock::now() + hop.queue_timeout;
    let slot = loop {
        match shared.admit(addr, hop) {
            // Came back a moment ago.
            Err(connection) if connection.is_closed() => {}
            Err(connection) => {
                shared.metrics.reused.inc();
                return Ok(connection);
            }
            Ok(Admission::Slot(slot)) => break slot,
            Ok(Admission::Wait(waiting)) => {
                *progress = Progress::InLine;
                let grant = in_line(shared, addr, hop, until, waiting).await;
                *progress = Progress::Unsent;
                match grant? {
                    Grant::Connection(connection) if connection.is_closed() => {}
                    Grant::Connection(connection) => {
                        shared.metrics.reused.inc();
                        return Ok(connection);
                    }
                    Grant::Slot(slot) => break slot,
                }
            }
            Ok(Admission::Full) => {
                shared.metrics.queue_full.inc();
                return Err(TransportError::QueueFull {
                    addr,
                    limit: hop.queue_max,
                });
            }
        }
    };
    Connection::open(shared, addr, hop.connect_timeout, slot).await
}

async fn in_line(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    hop: &Hop,
    until: Instant,
    waiting: Waiting<Connection>,
) -> Result<Grant<Connection>, TransportError> {
    /// Hands on what was granted to somebody who has just left.
    struct Place<'a> {
        shared: &'a Arc<Shared>,
        addr: SocketAddr,
        waiting: Option<Waiting<Connection>>,
    }

    impl Drop for Place<'_> {
        fn drop(&mut self) {
            let granted = self.waiting.take().and_then(Waiting::abandon);
            if let Some(Grant::Connection(connection)) = granted {
                self.shared.put(self.addr, connection);
            }
        }
    }

    let mut place = Place {
        shared,
        addr,
        waiting: Some(waiting),
    };
    let _waits = shared.metrics.queue.track();
    if let Some(waiting) = &mut place.waiting
        && let Ok(Some(grant)) = time::timeout_at(until, waiting).await
    {
        return Ok(grant);
    }
    shared.metrics.queue_timeout.inc();
    Err(TransportError::QueueTimeout {
        addr,
        timeout: hop.queue_timeout,
    })
}

async fn attempt(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    mut connection: Connection,
    request: &mut Option<Request<Body>>,
    terms: &Terms,
    progress: &mut Progress,
) -> Result<TransportResponse, TransportError> {
    let Some(taken) = request.take() else {
        return Err(TAKEN);
    };
    *progress = Progress::Sent;
    match connection.sender.try_send_request(taken).await {
        Ok(mut response) => {
            if let Some(what) = unasked(&response, terms) {
                return Err(TransportError::Protocol {
                    addr,
                    source: what.into(),
                });
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let asked = terms.upgrade.as_ref();
                OnUpgrade::leave_in(&mut response, connection, asked, addr);
                return Ok(response::bodiless(response, shared));
            }
            // A callee that answers without having asked for the body has no use for it.
            let is_cut = terms.hold.as_ref().is_some_and(Hold::refuse);
            Ok(response::received(
                response, connection, shared, addr, is_cut,
            ))
        }
        Err(mut error) => match error.take_message() {
            Some(unsent) => {
                *progress = Progress::Unsent;
                *request = Some(unsent);
                Err(TransportError::Unsent {
                    addr,
                    source: error.into_error().into(),
                })
            }
            None => {
                let error = error.into_error();
                Err(match terms.failure() {
                    Some(source) => TransportError::RequestBody { source },
                    None => TransportError::of_exchange(addr, error),
                })
            }
        },
    }
}

/// What an answer does that no request of this transport asks for.
fn unasked<B>(response: &Response<B>, terms: &Terms) -> Option<&'static str> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match &terms.upgrade {
            None => Some("it switched protocols, which nobody had asked for"),
            Some(asked) if upgrade::is_among(response.headers(), asked) => None,
            Some(_) => Some("it switched to a protocol that nobody had asked for"),
        };
    }
    // hyper decodes the last `chunked` and leaves all other codings to the reader, who is not told of them.
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    let is_known = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    (!is_known).then_some("it used a transfer coding, which nobody had asked for")
}

/// Puts the caller's own body back into a request that another instance may get.
fn restore(request: &mut Option<Request<Body>>, terms: &Terms) {
    let (Some(unsent), Some(hold)) = (request.as_mut(), &terms.hold) else {
        return;
    };
    match hold.reclaim() {
        Some(body) => *unsent.body_mut() = body,
        None => *request = None,
    }
}

/// Of a request that is not in its place; nobody calls without one.
pub(super) const TAKEN: TransportError = TransportError::InvalidRequest {
    reason: "it was sent already",
};

/// A callee that restarted leaves a pool of stale connections; a few are tried, then a new one.
pub(super) const STALE_MAX: usize = 3;
