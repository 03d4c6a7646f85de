//! What hyper is told about a connection, and what its failures mean.

use std::{
    convert::Infallible,
    error::Error,
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tower_service::Service;

use super::{
    super::{Body, Limits, Refusal, handler::Handler, stall::Streams, stream::Stream},
    drive::{Ended, Terms, drive},
    version::{FirstBytes, Version},
};
use crate::BoxError;

/// A connection of which it is not known yet what it speaks.
pub(super) async fn begin<S, B>(stream: Stream, handler: Handler<S>, terms: Terms<'_>) -> Ended
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut first = FirstBytes::of(stream);
    let give_up = |first: Pin<&mut FirstBytes>| first.get_mut().give_up();
    let ended = drive(Pin::new(&mut first), give_up, terms).await;
    if !matches!(ended, Ended::Closed) {
        return ended;
    }
    match first.told() {
        Some((Version::Http1, stream)) => http1(stream, handler, terms).await,
        Some((Version::Http2, stream)) => {
            terms.activity.set_http2();
            let io = TokioIo::new(stream);
            let builder = http2_builder(terms.limits, handler.streams());
            let http = pin!(builder.serve_connection(io, handler));
            drive(http, http2::Connection::graceful_shutdown, terms).await
        }
        None => Ended::Closed,
    }
}

/// A connection of HTTP/1, at the beginning or after it was parked. What a connection speaks does not change: whoever
/// is in front of us has read its requests as HTTP/1 too.
pub(super) async fn http1<S, B>(stream: Stream, handler: Handler<S>, terms: Terms<'_>) -> Ended
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Activity` does this job for both protocols and for the bytes before they are told apart.
        .header_read_timeout(None)
        .max_buf_size(terms.limits.header_limit);
    let connection = builder.serve_connection(TokioIo::new(stream), handler);
    let mut http = connection.with_upgrades();
    let shutdown = http1::UpgradeableConnection::graceful_shutdown;
    let ended = drive(Pin::new(&mut http), shutdown, terms).await;
    if !matches!(ended, Ended::Parked { .. }) {
        return ended;
    }
    // hyper has closed what it took for its socket.
    terms.activity.set_parking(false);
    match http.into_parts() {
        // Clients may send the next request before they have the answer to the last one, and any part of it.
        Some(parts) => Ended::Parked {
            unread: without_empty_lines(parts.read_buf),
        },
        // Somebody had asked for an upgrade that was not granted, and has the socket now.
        None => Ended::Closed,
    }
}

/// Some clients send an empty line after a body, which is no part of a head (RFC 9112 section 2.2).
fn without_empty_lines(mut bytes: Bytes) -> Bytes {
    let is_of_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let len = bytes.iter().take_while(|byte| is_of_line_end(byte)).count();
    bytes.split_off(len)
}

fn http2_builder(limits: Limits, streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        // A peer that vanished without a FIN is found by these pings.
        .keep_alive_interval(Some(HTTP2_PING_INTERVAL))
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .max_concurrent_streams(limits.http2_streams_max)
        // Streams that were reset before the server looked at them (CVE-2023-44487): as many as may be open, so that
        // a client may give up all it has at once.
        .max_pending_accept_reset_streams(Some(limits.http2_streams_max as usize))
        // Streams that the server resets for wrong frames (CVE-2025-8671), over the life of a connection.
        .max_local_error_reset_streams(Some(limits.http2_resets_max as usize))
        .max_header_list_size(u32::try_from(limits.header_limit).unwrap_or(u32::MAX));
    builder
}

/// What hyper has refused, and answered where that is possible.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_parse_too_large() {
        return Some(Refusal::HeadTooLarge);
    }
    if error.is_parse() {
        return Some(Refusal::Malformed);
    }
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    let is_flood = error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
    is_flood.then_some(Refusal::Http2Resets)
}

/// Clients break off all the time; only what we may have done wrong is worth a line.
pub(super) fn log_failure(error: &(dyn Error + 'static)) {
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

const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);
