//! Pooled connections by address: the way of a request once it is known where it goes.
//!
//! [`Connections`] keeps connections per [`SocketAddr`](std::net::SocketAddr), opens new ones
//! when there are none, and streams in both directions: the answer's head may come before the
//! request's body has ended, and neither body is held in memory. It knows nothing of names, breakers
//! or deadlines; those are the [`Client`](crate::Client)'s.
//!
//! [`Upstream`] says what one callee has of its own: HTTP/1.1 or HTTP/2 without TLS ([`Protocol::H2c`]),
//! and limits.
//!
//! # When a request may be sent again
//!
//! Only when the callee did nothing about it. An idle connection that the callee closed gives the
//! request back, and up to three of them are tried before a new one; over HTTP/2 a refused stream, or
//! one above the last that a `GOAWAY` names, is repeated as long as nothing of its body is gone. What
//! reached a callee that may have looked at it is never repeated here, and
//! [`TransportError::is_unsent`] says which of the two it was.
//!
//! # When a connection is used again
//!
//! HTTP/1.1: after the request was written and the answer read to their ends, and neither side wants to
//! close. Whoever drops an answer before its end closes the connection. The youngest idle connection
//! goes first.
//!
//! HTTP/2: many requests share a connection. Up to four fifths of the streams that the callee allows the
//! connections fill up one after the other; then the next one is opened, while the last fifth takes
//! what comes. Whoever drops an answer before its end resets its stream. Each stream has a window of its
//! own, so that an answer which nobody reads holds up no other.
//!
//! # When all connections are in use
//!
//! Up to `queue_max` requests wait for up to `queue_timeout`, first come, first served. More, or longer,
//! is [`TransportError::QueueFull`] and [`TransportError::QueueTimeout`]: nothing was sent.
//!
//! # Trailers
//!
//! Of a request those are sent that its `Trailer` header announces; of an answer all are received. Names
//! that change how a message is read, where it goes or who sent it are dropped ([`may_trail`]).
//! `TE: trailers` is sent if the request has it.
//!
//! # Expect: 100-continue
//!
//! With that header the body is not touched before the callee asks for it, or has been silent for 1 s.
//! If it answers instead, the body is never sent and the connection is closed after the answer. HTTP/2
//! has no such wait here: the header is not sent, and the body goes at once.
//!
//! # Upgrades
//!
//! A request with [`AllowUpgrade`] in its extensions may switch protocols over HTTP/1.1: a `101` that
//! names one of the protocols that were asked for gives [`OnUpgrade`]. Any other `101` is an error.
//!
//! # Limits
//!
//! Everything waits with a limit: [`ConnectionsBuilder`] has the table. The time until the head of
//! the answer is the caller's to limit. An upload that goes on after its answer has ended is cut
//! after 5 s.
//!
//! # What it does not do
//!
//! TLS, proxies, `CONNECT` and WebSockets over HTTP/2 (RFC 8441). An answer that has a transfer coding
//! other than `chunked` is an error. Interim answers (1xx) other than those above are skipped.
//!
//! # Cancel safety
//!
//! Dropping a future or a body at any point ends its exchange and frees its place in the pool, or in line.
//!
//! # Metrics
//!
//! `msf_client_connections`, `msf_client_connections_opened_total`,
//! `msf_client_connections_reused_total`, `msf_client_connections_stale_total`, `msf_client_queue_length`,
//! `msf_client_queue_refusals_total{reason}`.

mod builder;
mod connection;
mod connections;
mod dial;
mod error;
mod exchange;
mod gate;
mod held;
mod http2;
pub(crate) mod metrics;
mod pool;
mod prepare;
mod response;
mod send;
mod trailers;
mod upgrade;
mod upstream;

use self::connection::connect;
pub use self::{
    builder::ConnectionsBuilder,
    connections::Connections,
    dial::{Dial, Dialed, Dialing},
    error::TransportError,
    response::ResponseBody,
    send::Send,
    trailers::may_trail,
    upgrade::{AllowUpgrade, OnUpgrade, Upgraded},
    upstream::{Protocol, Upstream},
};
pub(crate) use self::{connections::Progress, response::TransportResponse};
