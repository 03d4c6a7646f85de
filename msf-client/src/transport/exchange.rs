//! One request and the head of its answer.

use std::{net::SocketAddr, sync::Arc};

use http::{Request, Response, StatusCode, header};
use msf_core::body::Body;

use super::{
    Protocol, TransportError,
    connection::Connection,
    connections::{Progress, Shared},
    prepare::prepare,
    response::{self, TransportResponse},
    upstream::Hop,
};

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: TransportError,
    /// The request, if it is known that nothing of it was written and another instance could take it.
    pub(crate) request: Option<Box<Request<Body>>>,
}

/// Sends on an idle connection, or on a new one when there is none or the idle ones are stale.
///
/// A callee may close an idle connection just when a request is handed to it. hyper gives the request
/// back if nothing of it was written, and then the next connection takes it without any loss; what
/// was written is never sent again.
pub(super) async fn exchange(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    hop: &Hop,
    mut request: Request<Body>,
    progress: &mut Progress,
) -> Result<TransportResponse, Failed> {
    if hop.protocol != Protocol::Http1 {
        return Err(Failed::for_good(TransportError::InvalidRequest {
            reason: "HTTP/2 is not spoken yet",
        }));
    }
    if let Err(error) = prepare(&mut request) {
        return Err(Failed::for_good(error));
    }
    for _ in 0..STALE_MAX {
        let Some(connection) = shared.take(addr) else {
            break;
        };
        shared.metrics.reused.inc();
        match attempt(shared, addr, connection, request, progress).await {
            Err(Failed {
                request: Some(unsent),
                ..
            }) => {
                shared.metrics.stale.inc();
                request = *unsent;
            }
            outcome => return outcome,
        }
    }
    match Connection::open(shared, addr, hop).await {
        Ok(connection) => attempt(shared, addr, connection, request, progress).await,
        Err(error) => Err(Failed {
            error,
            request: Some(Box::new(request)),
        }),
    }
}

async fn attempt(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    mut connection: Connection,
    request: Request<Body>,
    progress: &mut Progress,
) -> Result<TransportResponse, Failed> {
    *progress = Progress::Sent;
    match connection.sender.try_send_request(request).await {
        Ok(response) => match unasked(&response) {
            Some(what) => Err(Failed::for_good(TransportError::Protocol {
                addr,
                source: what.into(),
            })),
            None => Ok(response::received(response, connection, shared, addr)),
        },
        Err(mut error) => match error.take_message() {
            Some(request) => {
                *progress = Progress::Unsent;
                Err(Failed {
                    error: TransportError::Unsent {
                        addr,
                        source: error.into_error().into(),
                    },
                    request: Some(Box::new(request)),
                })
            }
            None => Err(Failed::for_good(TransportError::of_exchange(
                addr,
                error.into_error(),
            ))),
        },
    }
}

/// What an answer does that no request of this transport asks for.
fn unasked<B>(response: &Response<B>) -> Option<&'static str> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Some("it switched protocols, which nobody had asked for");
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

impl Failed {
    fn for_good(error: TransportError) -> Self {
        Self {
            error,
            request: None,
        }
    }
}

/// A callee that restarted leaves a pool of stale connections; a few are tried, then a new one.
const STALE_MAX: usize = 3;
