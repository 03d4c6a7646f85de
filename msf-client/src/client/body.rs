//! The answer of a service, which counts as in flight until its end.

use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use msf_core::{metrics::GaugeGuard, name::ServiceName};
use msf_registry::Picked;

use crate::{
    Error,
    transport::{self, OnUpgrade, TransportResponse},
};

/// The body of an answer.
///
/// Until it has ended or is dropped, the call counts as in flight for the balance and in
/// `msf_client_active_requests`; after a switch of protocols, until the connection ends. Its pieces must come within the transport's `body_timeout` of each
/// other; the deadline of the call ended with the head.
pub struct ResponseBody {
    inner: transport::ResponseBody,
    service: ServiceName,
    peer: SocketAddr,
    in_flight: Option<InFlight>,
}

/// What a call holds until it has ended.
pub(super) struct InFlight {
    picked: Picked,
    _active: GaugeGuard,
}

impl InFlight {
    pub(super) const fn new(picked: Picked, active: GaugeGuard) -> Self {
        Self {
            picked,
            _active: active,
        }
    }
}

/// An answer that counts as in flight until its body has ended, or until the connection has on which it switched
/// protocols.
pub(super) fn answered(
    response: TransportResponse,
    service: ServiceName,
    in_flight: InFlight,
) -> Response<ResponseBody> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let peer = in_flight.picked.addr();
        OnUpgrade::keep(&response, in_flight);
        return response.map(|inner| ResponseBody {
            inner,
            service,
            peer,
            in_flight: None,
        });
    }
    response.map(|inner| ResponseBody::new(inner, service, in_flight))
}

impl ResponseBody {
    fn new(inner: transport::ResponseBody, service: ServiceName, in_flight: InFlight) -> Self {
        let has_ended = inner.is_end_stream();
        Self {
            inner,
            service,
            peer: in_flight.picked.addr(),
            in_flight: (!has_ended).then_some(in_flight),
        }
    }

    /// The instance that answers.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        let has_ended = match &frame {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => this.inner.is_end_stream(),
            Poll::Ready(_) => true,
        };
        if has_ended {
            this.in_flight = None;
        }
        frame.map_err(|source| Error::Transport {
            service: this.service.clone(),
            source,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody")
            .field(&self.size_hint())
            .finish()
    }
}
