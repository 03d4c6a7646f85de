//! An HTTP/1.1 and HTTP/2 server with limits, and an end that drops no request.
//!
//! hyper speaks the protocols; this module does what has to happen around it: accept with
//! back-pressure, time out slow and idle clients, bound what they may send, answer when a handler
//! panics, and drain.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use http::{Request, Response};
//! use msf_core::server::{Body, DrainPlan, Listener, Server};
//! use tokio::sync::oneshot;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! let service = tower::service_fn(|_request: Request<Body>| async {
//!     Ok::<_, Infallible>(Response::new(Body::from("hello")))
//! });
//! let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
//! let (stop, stopped) = oneshot::channel::<()>();
//! # drop(stop);
//!
//! let plan = DrainPlan::new(Duration::ZERO, Duration::from_secs(20));
//! let served = Server::new()
//!     .serve_until(listener, service, async { drop(stopped.await) }, plan)
//!     .await?;
//! assert_eq!(served.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # The end
//!
//! A [`Drain`] leads the server through four [`Phase`]s. [`Drain::run`] walks them by a [`DrainPlan`]:
//!
//! ```text
//!            signal              delay over             all done, or timeout over
//!  Serving ----------> Draining ------------> Stopping --------------------------> Cut
//!                      still accepts,         listener closed,                     sockets closed
//!                      responses say          requests in flight go on
//!                      Connection: close
//! ```
//!
//! Requests that race with the end are not reset: connections that the kernel has accepted when the
//! listener closes are served; an idle HTTP/1 connection is read for 250 ms more; a connection that
//! is closed with unread bytes lingers, so that the answer arrives. Streams without an end
//! (server-sent events, WebSockets) hear of the drain through [`Connection::drain`] and are cut at the
//! deadline when they do not listen.
//!
//! # Two ways to run
//!
//! [`Server::serve`] runs on the caller's runtime. [`Server::serve_sharded`] starts a thread per
//! listener with a runtime of its own, over one port shared by the kernel (`SO_REUSEPORT`): no
//! connection ever moves to another core. Choose it when requests are many and short.
//!
//! # More than plain HTTP
//!
//! A [`Listener`] can expect the [PROXY protocol](proxy_protocol) of a balancer, and with the feature `tls` speak TLS:
//! `Listener::tls`. One server can have several of them ([`Server::serve_all`], [`Server::serve_shards`]).
//!
//! # What a client gets for its errors
//!
//! | client sends | answer |
//! |---|---|
//! | no HTTP | 400, closed |
//! | a head above `header_limit`, or of more than 100 fields | 431, closed |
//! | a head slower than `header_timeout` | 408 problem, closed; nothing if it sent no byte, or over TLS |
//! | no handshake of TLS in time, or one that fails | closed, after the alert of TLS if there is one |
//! | plain HTTP to a listener with TLS | 400 problem, closed |
//! | no header of the PROXY protocol where one is expected | closed |
//! | a host that its TLS connection was not let in for | 421 problem |
//! | an HTTP/2 head that never ends | closed after `idle_timeout` |
//! | a `Content-Length` above `body_limit` | 413 problem, before the body is read |
//! | more bytes than that without saying so | the body ends with an error that answers 413 |
//! | a body that stalls for `body_timeout` | the body ends with an error that answers 408 |
//! | a body below `body_rate_min` over `body_rate_window` | the same |
//! | more connections to one place than `connections_per_address_max` | closed at once |
//! | an HTTP/2 window that takes nothing of a response for `write_timeout` | the stream is reset |
//! | HTTP/2 requests that it gives up, `http2_resets_max` beyond those it lets end | closed |
//! | a flood of HTTP/2 frames, as the protocol library sees it | closed |
//! | a request that makes the handler panic | 500 problem; the connection lives |
//!
//! What the server refuses by itself is seen by no layer: [`Server::metrics`] counts it by [`Refusal`], and
//! [`Server::on_refused`] hears of it. A head of HTTP/2 that is too large is answered with 431 by the protocol library,
//! of which nobody hears.
//!
//! # Idle connections
//!
//! A connection of HTTP/1 without TLS that has been idle for a quarter of a second, or up to a second after it was
//! busy, is parked: its buffers and the room for a request of the service are given back to the allocator until it
//! says something. A request of which a part has arrived is gone on with.
//!
//! # Cancel safety
//!
//! A client that goes away drops the handler's future at its current await. A request is counted as
//! in flight until its response body has ended or was dropped.

mod accept;
mod activity;
mod addresses;
mod connection;
mod drain;
mod front;
mod handler;
mod limits;
mod listener;
mod pace;
pub mod proxy_protocol;
mod received;
mod refused;
mod serve;
mod serving;
mod slots;
mod stall;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsSettings};
pub use self::{
    connection::{Connection, peer},
    drain::{Drain, DrainPlan, DrainSignal, Phase},
    limits::Limits,
    listener::{BindError, Listener},
    proxy_protocol::ProxyProtocol,
    refused::{Refusal, Refused},
    serve::Server,
    slots::Served,
};
pub use crate::body::Body;
