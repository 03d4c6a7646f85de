//! What can go wrong between two processes.

use std::{io, net::SocketAddr, time::Duration};

use msf_core::BoxError;

/// Why a request got no answer, or an answer no end.
///
/// ```
/// use msf_client::transport::Connections;
/// use msf_core::body::Body;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let nobody = ([127, 0, 0, 1], 9).into();
/// let request = http::Request::get("/").body(Body::empty()).unwrap();
/// let error = Connections::default().send(nobody, request).await.unwrap_err();
/// assert!(error.is_unsent());
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody took the connection.
    #[error("cannot connect to {addr}")]
    Connect {
        /// The callee.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody took the connection in time.
    #[error("no connection to {addr} within {timeout:?}")]
    ConnectTimeout {
        /// The callee.
        addr: SocketAddr,
        /// How long was waited.
        timeout: Duration,
    },
    /// All connections to the callee are in use, and as many requests wait for one as may.
    #[error("all connections to {addr} are in use and {limit} requests wait for one")]
    QueueFull {
        /// The callee.
        addr: SocketAddr,
        /// `queue_max`.
        limit: usize,
    },
    /// All connections to the callee were in use for too long.
    #[error("no connection to {addr} became free within {timeout:?}")]
    QueueTimeout {
        /// The callee.
        addr: SocketAddr,
        /// How long was waited.
        timeout: Duration,
    },
    /// A new connection was closed before a byte of the request was written.
    #[error("{addr} closed the connection before the request was sent")]
    Unsent {
        /// The callee.
        addr: SocketAddr,
        /// What hyper said.
        source: BoxError,
    },
    /// The callee said that it did not look at the request (HTTP/2's `REFUSED_STREAM` and `GOAWAY`).
    #[error("{addr} refused the request without looking at it")]
    Refused {
        /// The callee.
        addr: SocketAddr,
        /// What hyper said.
        source: BoxError,
    },
    /// The request cannot be sent by this transport.
    #[error("the request cannot be sent: {reason}")]
    InvalidRequest {
        /// Why.
        reason: &'static str,
    },
    /// The body of the request failed while it was being sent; the failure is the source.
    #[error("the request body failed")]
    RequestBody {
        /// hyper's error, whose source is the body's own.
        source: BoxError,
    },
    /// The connection broke before the answer; the callee may have done the work.
    #[error("{addr} broke off before it had answered")]
    Reset {
        /// The callee.
        addr: SocketAddr,
        /// What hyper said.
        source: BoxError,
    },
    /// The answer is not one that HTTP/1.1 allows here, or its head is too large.
    #[error("{addr} gave an invalid answer")]
    Protocol {
        /// The callee.
        addr: SocketAddr,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The next piece of the answer's body did not arrive in time.
    #[error("the rest of the answer did not arrive within {timeout:?}")]
    BodyTimeout {
        /// How long was waited.
        timeout: Duration,
    },
    /// The answer's body ended before its end.
    #[error("the answer broke off")]
    Body {
        /// What hyper said.
        source: BoxError,
    },
}

impl TransportError {
    /// Whether the callee certainly did nothing about the request, so that it may be sent again.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::QueueFull { .. }
                | Self::QueueTimeout { .. }
                | Self::Unsent { .. }
                | Self::Refused { .. }
                | Self::InvalidRequest { .. }
        )
    }

    /// Whether the caller's side is to blame: it says nothing about the callee.
    #[must_use]
    pub const fn is_own_fault(&self) -> bool {
        matches!(
            self,
            Self::QueueFull { .. }
                | Self::QueueTimeout { .. }
                | Self::InvalidRequest { .. }
                | Self::RequestBody { .. }
        )
    }

    /// What became of a request of which something may have been written.
    pub(super) fn of_exchange(addr: SocketAddr, error: hyper::Error) -> Self {
        if error.is_user() {
            Self::RequestBody {
                source: error.into(),
            }
        } else if error.is_parse() {
            Self::Protocol {
                addr,
                source: error.into(),
            }
        } else {
            Self::Reset {
                addr,
                source: error.into(),
            }
        }
    }
}

const _: () = assert!(
    size_of::<TransportError>() <= 64,
    "an error must stay small"
);
