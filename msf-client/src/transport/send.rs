//! The future of one request.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use msf_core::body::Body;

use super::{
    Connections, TransportError, Upstream, connections::Progress, response::TransportResponse,
};

/// Waits for the head of an answer. Made by [`Connections::send`].
///
/// It holds one box, because the future that hyper gives for a request has no name.
#[must_use = "futures do nothing unless polled"]
pub struct Send(
    Pin<Box<dyn Future<Output = Result<TransportResponse, TransportError>> + std::marker::Send>>,
);

impl Send {
    pub(super) fn new(
        connections: Connections,
        addr: SocketAddr,
        upstream: Upstream,
        request: Request<Body>,
    ) -> Self {
        Self(Box::pin(async move {
            let mut progress = Progress::default();
            let mut request = Some(request);
            connections
                .exchange(addr, &upstream, &mut request, &mut progress)
                .await
        }))
    }
}

impl Future for Send {
    type Output = Result<TransportResponse, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").finish_non_exhaustive()
    }
}
