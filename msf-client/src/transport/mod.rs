//! Pooled HTTP/1.1 connections by address: the way of a request once it is known where it goes.
//!
//! [`Connections`] keeps idle connections per [`SocketAddr`](std::net::SocketAddr), opens new ones
//! when there are none, and streams in both directions: the answer's head may come before the
//! request's body has ended, and neither body is held in memory. It knows nothing of names, breakers
//! or deadlines; those are the [`Client`](crate::Client)'s.
//!
//! # When a request may be sent again
//!
//! Only when nothing of it was written. An idle connection that the callee closed gives the request
//! back, and up to three of them are tried before a new one; what reached a socket is never repeated
//! here, and [`TransportError::is_unsent`] says which of the two it was.
//!
//! # When a connection is used again
//!
//! After the request was written and the answer read to their ends, and neither side wants to close.
//! Whoever drops an answer before its end closes the connection. The youngest idle connection goes
//! first.
//!
//! # Limits
//!
//! Everything waits with a limit: [`ConnectionsBuilder`] has the table. The time until the head of
//! the answer is the caller's to limit. An upload that goes on after its answer has ended is cut
//! after 5 s.
//!
//! # What it does not do
//!
//! TLS, HTTP/2, proxies, tunnels and upgrades. A request's `Upgrade` and `Expect` headers are not
//! sent; an answer that switches protocols, or has a transfer coding other than `chunked`, is an error.
//! Interim answers (1xx) are skipped.
//!
//! # Cancel safety
//!
//! Dropping a future or a body at any point closes its connection and frees its place in the pool.
//!
//! # Metrics
//!
//! `msf_client_connections`, `msf_client_connections_opened_total`,
//! `msf_client_connections_reused_total`, `msf_client_connections_stale_total`.

mod builder;
mod connection;
mod connections;
mod error;
mod exchange;
pub(crate) mod metrics;
mod pool;
mod prepare;
mod response;
mod send;
mod upgrade;
mod upstream;

pub use self::{
    builder::ConnectionsBuilder,
    connections::Connections,
    error::TransportError,
    response::ResponseBody,
    send::Send,
    upgrade::{AllowUpgrade, OnUpgrade, Upgraded},
    upstream::{Protocol, Upstream},
};
pub(crate) use self::{connections::Progress, exchange::Failed, response::TransportResponse};
