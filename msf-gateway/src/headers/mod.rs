//! What a gateway has to do to the headers that it passes on.
//!
//! | module | for |
//! |---|---|
//! | [`message`] | refusing what two servers could read differently: framing, `Host`, expectations |
//! | [`hop_by_hop`] | removing what concerns one connection only (RFC 9110 §7.6.1) |
//! | [`IdentityHeaders`] | removing what only the inside may say: who the caller is |
//! | [`forwarded`] | saying who the caller was, and believing only trusted proxies about it |
//! | [`cookie`] | joining what HTTP/2 clients split |
//! | [`gateway`] | saying which request it is, and when it came |
//! | [`max_forwards`] | counting the gateways that an `OPTIONS` may pass |
//! | [`trailers`] | leaving what may be said after the body |
//! | [`via`] | saying that a gateway was there |
//!
//! The order matters. What the client lists in `Connection` is removed before the gateway adds anything, so
//! that a client cannot have the gateway's own headers removed.
//!
//! ```
//! use http::HeaderMap;
//! use msf_gateway::headers::{IdentityHeaders, hop_by_hop};
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("connection", "close, x-secret-hop".parse()?);
//! headers.insert("x-secret-hop", "1".parse()?);
//! headers.insert("x-user-id", "1".parse()?);
//! headers.insert("accept", "application/json".parse()?);
//!
//! hop_by_hop::strip_request(&mut headers);
//! IdentityHeaders::default().strip(&mut headers);
//!
//! assert_eq!(headers.len(), 1);
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

pub mod cookie;
pub mod forwarded;
pub mod gateway;
pub mod hop_by_hop;
pub mod max_forwards;
pub mod message;
mod seen;
pub mod trailers;
pub mod via;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header, request::Parts};
use msf_core::server::Connection;

pub use msf_auth::headers::IdentityHeaders;
pub use msf_core::forwarded::{InvalidIpRange, IpRange};

use self::seen::Seen;

/// What is known of the other end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) ip: Option<IpAddr>,
    /// Whether it speaks TLS with us.
    pub(crate) is_encrypted: bool,
    /// The place of the listener that it came to.
    pub(crate) listener: usize,
}

impl Peer {
    pub(crate) fn of(connection: Option<&Connection>) -> Self {
        connection.map_or_else(Self::default, |connection| Self {
            ip: Some(connection.peer().ip()),
            is_encrypted: connection.is_encrypted(),
            listener: connection.listener(),
        })
    }
}

/// What is done to every request that arrives, in the one order; returns the client's address.
pub(crate) fn receive(
    parts: &mut Parts,
    connection: Option<&Connection>,
    host: Option<&HeaderValue>,
    identity: &IdentityHeaders,
    forwarding: &forwarded::Forwarding,
) -> Option<IpAddr> {
    let seen = Seen::of(&parts.headers);
    if seen.has_connection_headers {
        hop_by_hop::strip_request(&mut parts.headers);
    }
    identity.strip(&mut parts.headers);
    // What a client asks for beyond an answer passes only as far as the standard allows: trailers, and a word before
    // the body.
    if seen.has_trailer {
        trailers::restrict(&mut parts.headers, identity);
    }
    if parts.version < Version::HTTP_11 {
        parts.headers.remove(header::EXPECT);
    }
    let client = forwarding.rewrite_seen(
        Peer::of(connection),
        || connection.map(Connection::peer_value),
        host,
        seen.has_forwarding,
        &mut parts.headers,
    );
    via::append(parts.version, &mut parts.headers);
    if seen.has_cookie {
        cookie::join(&mut parts.headers);
    }
    client
}

/// Removes every header whose name is unwanted.
fn remove_where(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    // Usually nothing is found, and an empty vector allocates nothing.
    let unwanted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_unwanted(name))
        .cloned()
        .collect();
    for name in unwanted {
        headers.remove(name);
    }
}
