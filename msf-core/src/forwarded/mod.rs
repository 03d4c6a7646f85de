//! Who the client is when proxies stand between it and us.
//!
//! Anybody can send `X-Forwarded-For` or `Forwarded` (RFC 7239), so such a header counts only as far as it comes from
//! a proxy that is trusted by its address. It is read from its right end, where the nearest proxy wrote: the first
//! address that is not a trusted proxy's is the client, and what stands to the left of it, which that client may have
//! made up, is not read at all. Without trusted proxies, the default, the client is the peer.
//!
//! Only one of the two headers is believed. A proxy that writes the one passes the other on as the client sent it.
//!
//! ```
//! use http::HeaderMap;
//! use msf_core::forwarded::TrustedProxies;
//!
//! let proxies = TrustedProxies::none().trust("10.0.0.0/8".parse()?);
//! let mut headers = HeaderMap::new();
//! headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2".parse()?);
//!
//! let said_by_a_proxy = proxies.client(Some([10, 0, 0, 1].into()), &headers);
//! assert_eq!(said_by_a_proxy, Some([203, 0, 113, 9].into()));
//! let said_by_a_stranger = proxies.client(Some([192, 0, 2, 1].into()), &headers);
//! assert_eq!(said_by_a_stranger, Some([192, 0, 2, 1].into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod element;
mod ip_range;
mod proxies;

use std::net::SocketAddr;

use http::Extensions;

pub use self::{
    ip_range::{InvalidIpRange, IpRange},
    proxies::{HOPS_MAX, Hops, TrustedProxies},
};

/// Where the other end of a connection is found: a function from request extensions.
///
/// Behind msf-core's server it is `server::peer`; behind `axum::serve` a closure that asks for `ConnectInfo`.
pub type PeerSource = fn(&Extensions) -> Option<SocketAddr>;
