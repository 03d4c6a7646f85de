//! What hyper is told about a connection, and what its failures mean.

use std::{
    convert::Infallible,
    error::Error,
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tower_service::Service;

use super::{
    super::{Body, Limits, Refusal, handler::Handler, stall::Streams, stream::Stream},
    drive::{Ended, Terms, drive},
};
use crate::BoxError;

/// A connection of which it is not known yet what it speaks.
pub(super) async fn begin<S, B>(io: Stream, handler: Handler<S>, terms: Terms<'_>) -> Ended
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let builder = builder(terms.limits, handler.streams());
    let http = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), handler));
    let shutdown = |http: Pin<&mut _>| auto::UpgradeableConnection::graceful_shutdown(http);
    drive(http, shutdown, terms).await
}

/// A connection that was parked. Only HTTP/1 is, and what a connection speaks does not change: whoever is in front of us
/// has read its requests as HTTP/1 too.
pub(super) async fn resume<S, B>(io: Stream, handler: Handler<S>, terms: Terms<'_>) -> Ended
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(terms.limits.header_limit);
    let http = builder.serve_connection(TokioIo::new(io), handler);
    let shutdown = |http: Pin<&mut _>| http1::UpgradeableConnection::graceful_shutdown(http);
    drive(pin!(http.with_upgrades()), shutdown, terms).await
}

fn builder(limits: Limits, streams: Streams) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(streams);
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
