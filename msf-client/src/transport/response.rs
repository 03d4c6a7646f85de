//! The answer, whose end gives the connection back.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use msf_core::{clock, task};
use tokio::{
    runtime::Handle,
    time::{self, Sleep},
};

use super::{
    TransportError, connection::Connection, connections::Shared, held::Hold, http2, trailers,
};

pub(crate) type TransportResponse = Response<ResponseBody>;

/// The body of an answer.
///
/// Read to its end it gives the connection to the next request; dropped before, it closes the
/// connection. A reader that waits longer than `body_timeout` for the next piece gets
/// [`TransportError::BodyTimeout`]; a reader that does not read is not timed.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use msf_client::transport::Connections;
/// # use msf_core::{body::Body, testing::TestServer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let server = TestServer::start(tower::service_fn(|_request| async {
/// #     Ok::<_, Infallible>(Response::new(Body::from("hello")))
/// # }))
/// # .await;
/// # let connections = Connections::default();
/// let request = Request::get("/").header("host", "greeter").body(Body::empty())?;
/// let response = connections.send(server.addr(), request).await?;
/// drop(response);
/// assert_eq!(connections.idle(), 0);
/// # Ok(())
/// # }
/// ```
pub struct ResponseBody {
    incoming: Incoming,
    /// Nothing once the connection was given back or closed.
    lease: Option<Lease>,
    timeout: Duration,
    /// Made at the first wait and kept, so that a body that is already there costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

/// What a body keeps busy while it arrives, and where that goes afterwards.
enum Lease {
    Connection(Whole),
    Stream(Stream),
}

/// A connection of HTTP/1.1.
struct Whole {
    connection: Connection,
    shared: Arc<Shared>,
    addr: SocketAddr,
    is_reusable: bool,
}

/// A stream of HTTP/2.
struct Stream {
    _lease: http2::Lease,
    upload: Option<Hold>,
}

/// Takes what hyper received.
pub(super) fn received(
    mut response: Response<Incoming>,
    connection: Connection,
    shared: &Arc<Shared>,
    addr: SocketAddr,
    is_cut: bool,
) -> TransportResponse {
    let status = response.status();
    let headers = response.headers_mut();
    // Both at once is how answers are smuggled. The transfer encoding holds; the length must not be
    // passed on, and what follows on the connection is not trusted (RFC 9112 section 6.3).
    let is_ambiguous = headers.contains_key(header::TRANSFER_ENCODING)
        && headers.remove(header::CONTENT_LENGTH).is_some();
    tidy_length(status, headers);
    let lease = Lease::Connection(Whole {
        connection,
        shared: shared.clone(),
        addr,
        // Where a body was announced and not sent, nobody can tell the next request from it.
        is_reusable: !is_ambiguous && !is_cut && !closes(headers),
    });
    response.map(|incoming| ResponseBody::new(incoming, Some(lease), shared))
}

/// Takes what hyper received on a stream.
pub(super) fn multiplexed(
    response: Response<Incoming>,
    lease: http2::Lease,
    upload: Option<Hold>,
    shared: &Arc<Shared>,
) -> TransportResponse {
    let lease = Lease::Stream(Stream {
        _lease: lease,
        upload,
    });
    response.map(|incoming| ResponseBody::new(incoming, Some(lease), shared))
}

/// Takes an answer after which there is no HTTP.
pub(super) fn bodiless(response: Response<Incoming>, shared: &Arc<Shared>) -> TransportResponse {
    response.map(|incoming| ResponseBody::new(incoming, None, shared))
}

impl ResponseBody {
    fn new(incoming: Incoming, lease: Option<Lease>, shared: &Arc<Shared>) -> Self {
        let mut body = Self {
            incoming,
            lease,
            timeout: shared.settings.body_timeout,
            timer: None,
            is_waiting: false,
        };
        body.finish_if_complete();
        body
    }

    /// The reader may stop before it is told of the end, if the length told it where that is.
    fn finish_if_complete(&mut self) {
        if self.incoming.is_end_stream() {
            self.finish();
        }
    }

    /// Whether a stream of HTTP/2 was reset before the answer had ended, with `NO_ERROR`: hyper takes that for an
    /// end, since a callee may reset the upload so after a whole answer (RFC 9113 section 8.1).
    fn is_cut_off(&self) -> bool {
        let Some(Lease::Stream(stream)) = &self.lease else {
            return false;
        };
        // While there was an upload to stop, only a length can tell.
        let is_short = || {
            self.incoming
                .size_hint()
                .exact()
                .is_some_and(|left| left > 0)
        };
        !self.incoming.is_end_stream() && (stream.upload.is_none() || is_short())
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(time::sleep(timeout)));
        if !self.is_waiting {
            self.is_waiting = true;
            timer.as_mut().reset(clock::now() + timeout);
        }
        timer.as_mut().poll(cx)
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            return this.poll_timer(cx).map(|()| {
                this.lease = None;
                let timeout = this.timeout;
                Some(Err(TransportError::BodyTimeout { timeout }))
            });
        };
        this.is_waiting = false;
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(fields) = frame.trailers_mut() {
                    trailers::clean(fields);
                }
                this.finish_if_complete();
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.lease = None;
                Some(Err(TransportError::Body {
                    source: error.into(),
                }))
            }
            None if this.is_cut_off() => {
                this.lease = None;
                Some(Err(TransportError::Body {
                    source: "the stream was reset before its end".into(),
                }))
            }
            None => {
                this.finish();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.incoming.size_hint())
            .finish()
    }
}

impl Lease {
    fn give_back(self) {
        match self {
            Self::Connection(whole) => whole.give_back(),
            Self::Stream(stream) => stream.finish(),
        }
    }
}

impl Stream {
    /// The answer has ended. A callee that still reads may go on for as long as one of HTTP/1.1.
    fn finish(mut self) {
        let Some(upload) = self.upload.take().filter(|upload| !upload.is_sent()) else {
            return;
        };
        if Handle::try_current().is_err() {
            upload.abort();
            return;
        }
        task::spawn_root("client upload", async move {
            time::sleep(RETURN_MAX).await;
            upload.abort();
            drop(self);
        })
        .detach();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}

impl Whole {
    fn give_back(self) {
        let Self {
            mut connection,
            shared,
            addr,
            is_reusable,
        } = self;
        if !is_reusable || connection.is_closed() {
            return;
        }
        if connection.sender.is_ready() {
            shared.put(addr, connection);
            return;
        }
        // The connection's task is still at the end of this exchange: it runs on another thread, or
        // the answer came before the request's body had ended. Rare, so a task may be spent on it.
        if Handle::try_current().is_ok() {
            task::spawn_root("client connection return", async move {
                let ready = time::timeout(RETURN_MAX, connection.sender.ready()).await;
                if matches!(ready, Ok(Ok(()))) {
                    shared.put(addr, connection);
                }
            })
            .detach();
        }
    }
}

/// Leaves one plain number, or none where there can be no body.
///
/// hyper takes a list of equal lengths for one length. Whoever gets the answer next may not.
fn tidy_length(status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return;
    };
    let is_plain = length.as_bytes().iter().all(u8::is_ascii_digit);
    if is_plain && lengths.next().is_none() {
        return;
    }
    let text = length.as_bytes().split(|byte| *byte == b',').next();
    let plain = text.and_then(|text| HeaderValue::from_bytes(text.trim_ascii()).ok());
    match plain {
        Some(plain) => headers.insert(header::CONTENT_LENGTH, plain),
        None => headers.remove(header::CONTENT_LENGTH),
    };
}

/// Whether the callee said that it closes the connection after this answer.
fn closes(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// An upload that goes on for longer after its answer has ended is not worth a connection.
const RETURN_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(status: u16, lengths: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for length in lengths {
            headers.append(header::CONTENT_LENGTH, length.parse().unwrap());
        }
        tidy_length(StatusCode::from_u16(status).unwrap(), &mut headers);
        let left = headers.get_all(header::CONTENT_LENGTH).iter();
        left.map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn one_plain_length_is_passed_on() {
        assert_eq!(tidied(200, &["5"]), ["5"]);
        assert_eq!(tidied(200, &["5", "5"]), ["5"]);
        assert_eq!(tidied(200, &["5, 5"]), ["5"]);
        assert_eq!(tidied(304, &["5"]), ["5"]);
        assert!(tidied(200, &[]).is_empty());
        assert!(tidied(204, &["0"]).is_empty());
    }
}
