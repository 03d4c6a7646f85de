//! What the server refuses by itself, where nobody else could see it.

use std::{
    fmt,
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use http::{Request, StatusCode};

use super::Connection;
use crate::metrics::{Counter, Metrics, MetricsError, SERVER_REFUSED};

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:expr;)+) => {
        /// Why a server refused a client by itself: no service, layer or handler has seen the request, or with
        /// [`ResponseStalled`](Self::ResponseStalled) the end of its response.
        ///
        /// ```
        /// use msf_core::server::Refusal;
        ///
        /// assert_eq!(Refusal::HeadTooLarge.as_str(), "head_too_large");
        /// assert_eq!(Refusal::HeadTooLarge.status().unwrap(), 431);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Refusal {
            /// Every refusal.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label `reason` of `msf_server_refused_total`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the client was answered, if it was. [`HeadTooSlow`](Self::HeadTooSlow) is answered over connections
            /// without TLS only.
            #[must_use]
            pub const fn status(self) -> Option<StatusCode> {
                match self {
                    $(Self::$variant => $status,)+
                }
            }
        }
    };
}

refusals! {
    /// Its address has as many connections as it may; closed at once.
    AddressFull = "address_full", None;
    /// A body that is announced to be above the limit of the server.
    BodyTooLarge = "body_too_large", Some(StatusCode::PAYLOAD_TOO_LARGE);
    /// A TLS handshake that failed or took too long; closed, after the alert of TLS or the answer to plain HTTP.
    Handshake = "handshake", None;
    /// A head of HTTP/1 that is too large.
    HeadTooLarge = "head_too_large", Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    /// A head of which a part came in time.
    HeadTooSlow = "head_too_slow", Some(StatusCode::REQUEST_TIMEOUT);
    /// Too many requests of HTTP/2 that were begun and given up, or whose frames were wrong; or what the protocol library
    /// takes for a flood, such as a head of endless CONTINUATION frames. Closed.
    Http2Resets = "http2_resets", None;
    /// What is no HTTP/1.
    Malformed = "malformed", Some(StatusCode::BAD_REQUEST);
    /// A host with another TLS policy than that of the connection, or with none.
    Misdirected = "misdirected", Some(StatusCode::MISDIRECTED_REQUEST);
    /// A balancer that is not trusted, or that did not say whose the connection is; closed.
    ProxyProtocol = "proxy_protocol", None;
    /// A response over HTTP/2 of which the client took nothing in the time for a write, its window being shut; the
    /// stream is reset.
    ResponseStalled = "response_stalled", None;
    /// Not one byte came in the time for a head; closed.
    Silent = "silent", None;
}

/// One refusal; see [`Server::on_refused`](super::Server::on_refused).
#[derive(Clone)]
#[non_exhaustive]
pub struct Refused {
    /// Why.
    pub reason: Refusal,
    /// The other end of the connection: the client, or a proxy before it.
    pub peer: SocketAddr,
    /// The head of the request, where it was read before it was refused: with
    /// [`BodyTooLarge`](Refusal::BodyTooLarge) and [`Misdirected`](Refusal::Misdirected).
    pub request: Option<Request<()>>,
}

/// Who hears of refusals.
#[derive(Clone, Default)]
pub(super) struct Refusals {
    counters: Option<Arc<[Counter]>>,
    listener: Option<Arc<dyn Fn(&Refused) + Send + Sync>>,
}

impl Refusals {
    pub(super) fn count_in(&mut self, metrics: &Metrics) -> Result<(), MetricsError> {
        let family = SERVER_REFUSED.register(metrics)?;
        let counters = Refusal::ALL.iter().map(|it| family.with([it.as_str()]));
        self.counters = Some(counters.collect());
        Ok(())
    }

    pub(super) fn tell(&mut self, listener: impl Fn(&Refused) + Send + Sync + 'static) {
        self.listener = Some(Arc::new(listener));
    }

    /// A client of whom no request was read.
    pub(super) fn refused(&self, reason: Refusal, connection: &Connection) {
        self.tell_of(reason, connection, || None);
    }

    /// A request, whose head was read.
    pub(super) fn refused_request<B>(
        &self,
        reason: Refusal,
        connection: &Connection,
        request: &Request<B>,
    ) {
        self.tell_of(reason, connection, || Some(head_of(request)));
    }

    fn tell_of(
        &self,
        reason: Refusal,
        connection: &Connection,
        request: impl FnOnce() -> Option<Request<()>>,
    ) {
        let counters = self.counters.as_deref().unwrap_or_default();
        if let Some(counter) = counters.get(reason as usize) {
            counter.inc();
        }
        if let Some(listener) = &self.listener {
            let refused = Refused {
                reason,
                peer: connection.peer(),
                request: request(),
            };
            // Its panic, which the hook has reported, must not end the accept loop.
            let _panicked = panic::catch_unwind(AssertUnwindSafe(|| listener(&refused)));
        }
    }
}

fn head_of<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    head
}

impl fmt::Debug for Refused {
    // Without the request, in which there are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").finish_non_exhaustive()
    }
}
