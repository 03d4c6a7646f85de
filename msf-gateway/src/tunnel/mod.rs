//! Connections that leave HTTP: WebSockets, and whatever else a route lets a service switch to.
//!
//! [`Route::upgrade`](crate::Route::upgrade) names the protocols. A request over HTTP/1.1 that asks for one of
//! them is forwarded with `Connection: upgrade` and the first protocol of the client's list that the route
//! allows. Only when the service has answered `101` and named that protocol does the client get a `101`;
//! any other answer passes as it is, and a `101` that says something else is a 502. What either side sends
//! right after its half of the switch is not lost.
//!
//! ```
//! use msf_gateway::Route;
//!
//! let chat = Route::exact("/chat").to("chat").public().upgrade(["websocket"]);
//! # drop(chat);
//! ```
//!
//! # What ends a tunnel
//!
//! | | |
//! |---|---|
//! | both sides have ended | one side may end first: the other half goes on, up to 60 s in silence |
//! | [`Route::upgrade_idle_timeout`](crate::Route::upgrade_idle_timeout) | 1 h without a byte in either direction. A client that vanished without a word is found by nothing else, and an idle tunnel costs two sockets and no buffer, so it may be long; a WebSocket with pings never gets there |
//! | the server drains | once the listener is closed, a tunnel that is silent for 1 s ends; at the hard deadline all do |
//! | an error on either side | |
//!
//! # Limits
//!
//! A tunnel holds one of the server's client connections and one of the service's
//! [`max_connections`](msf_client::transport::ConnectionsBuilder::max_connections): both bound how many there
//! are. Policy, rate limits and the size of the header apply to the request that asks for it, and nothing is
//! looked at after that. A body in such a request, a protocol that the route does not name, and `h2c` are
//! never forwarded as an upgrade: the request is forwarded without it (RFC 9110 §7.8 lets a server ignore it).
//!
//! # What it does not do
//!
//! WebSockets over HTTP/2 (RFC 8441), and a close frame when the server drains: the gateway does not read
//! the protocol.
//!
//! # Metrics
//!
//! `msf_gateway_tunnels`, `msf_gateway_tunnels_ended_total{reason}`, `msf_gateway_tunnel_bytes_total{direction}`.

mod asked;
mod join;
pub(crate) mod metrics;
mod pump;

pub(crate) use self::{
    asked::{Asked, switched},
    metrics::TunnelMetrics,
};

use std::time::Duration;

use http::HeaderValue;

/// What a route allows, once it was checked.
#[derive(Debug)]
pub(crate) struct Upgrades {
    /// In small letters.
    pub(crate) protocols: Box<[HeaderValue]>,
    pub(crate) idle_timeout: Duration,
}

/// The words that a route may name: tokens, and none that is a way around the gateway.
pub(crate) fn protocol(name: &str) -> Option<HeaderValue> {
    let name = name.to_ascii_lowercase();
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte));
    // A connection that became HTTP/2 or TLS carries requests that no route and no policy sees.
    let is_http =
        name == "h2c" || name == "h2" || name.starts_with("http/") || name.starts_with("tls/");
    if !is_token || is_http {
        return None;
    }
    HeaderValue::try_from(name).ok()
}

pub(crate) const IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_protocols_that_are_not_http_can_be_named() {
        for name in ["websocket", "WebSocket", "irc/6.9"] {
            assert_eq!(protocol(name).unwrap(), name.to_ascii_lowercase());
        }
        for name in [
            "", "h2c", "H2C", "h2", "HTTP/2.0", "tls/1.3", "a b", "a,b", "a\r\n", "ä",
        ] {
            assert!(protocol(name).is_none(), "{name:?}");
        }
    }
}
