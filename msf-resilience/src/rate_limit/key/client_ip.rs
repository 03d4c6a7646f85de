//! [`ClientIp`], the address of the client.

use std::{net::IpAddr, sync::Arc};

use http::{Extensions, HeaderMap};
use msf_core::forwarded::{PeerSource, TrustedProxies};

use super::source::KeySource;

/// The client's address, or the block of addresses that is one client's.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`behind`](Self::behind) | no proxy is believed | a header is no proof; a limit by what callers write is none |
/// | [`ipv6_prefix`](Self::ipv6_prefix) | 64 | a subscriber gets at least a /64 and has 2^64 addresses in it |
/// | [`ipv4_prefix`](Self::ipv4_prefix) | 32 | an IPv4 address is rarely one caller's alone, never less |
///
/// An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address. Where a trusted proxy says nothing that is
/// an address, the key is the proxy's own: its clients then share one limit, which is what a proxy that
/// is set up wrongly should show. It allocates nothing.
///
/// Without a peer there is no key, see [the module](super).
///
/// ```
/// use std::net::{IpAddr, SocketAddr};
/// use axum::extract::ConnectInfo;
/// use http::Request;
/// use msf_core::forwarded::TrustedProxies;
/// use msf_resilience::rate_limit::key::{self, ClientIp};
///
/// let proxies = TrustedProxies::none().trust("10.0.0.0/8".parse()?);
/// // Behind msf-core's server the source is `msf_core::server::peer`.
/// let source = ClientIp::new(|extensions| {
///     extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
/// });
/// let key_of = key::by(source.behind(proxies));
///
/// let mut request = Request::builder().header("x-forwarded-for", "6.6.6.6, 2001:db8:1:2:3::4").body(())?;
/// request.extensions_mut().insert(ConnectInfo::<SocketAddr>("10.0.0.1:999".parse()?));
/// assert_eq!(key_of(&request), Some("2001:db8:1:2::".parse::<IpAddr>()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientIp {
    peer: PeerSource,
    proxies: Arc<TrustedProxies>,
    v4_bits: u8,
    v6_bits: u8,
}

/// A prefix that would make one key of half the world, or that no address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prefix of {family} keys must be {min} to {max} bits, not {bits}")]
#[non_exhaustive]
pub struct InvalidPrefix {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// The shortest prefix.
    pub min: u8,
    /// The longest prefix.
    pub max: u8,
    /// What was asked for.
    pub bits: u8,
}

impl ClientIp {
    /// The address of the other end of the connection, as this source finds it.
    #[must_use]
    pub fn new(peer: PeerSource) -> Self {
        Self {
            peer,
            proxies: Arc::new(TrustedProxies::none()),
            v4_bits: V4_BITS,
            v6_bits: V6_SUBSCRIBER_BITS,
        }
    }

    /// Believes these proxies about who the client is.
    #[must_use]
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Arc::new(proxies);
        self
    }

    /// How many bits of an IPv6 address make the key, 16 to 128. Default 64.
    ///
    /// # Errors
    ///
    /// [`InvalidPrefix`] outside the range.
    pub fn ipv6_prefix(mut self, bits: u8) -> Result<Self, InvalidPrefix> {
        if !(V6_BITS_MIN..=V6_BITS).contains(&bits) {
            return Err(InvalidPrefix {
                family: "IPv6",
                min: V6_BITS_MIN,
                max: V6_BITS,
                bits,
            });
        }
        self.v6_bits = bits;
        Ok(self)
    }

    /// How many bits of an IPv4 address make the key, 8 to 32. Default 32.
    ///
    /// # Errors
    ///
    /// [`InvalidPrefix`] outside the range.
    pub fn ipv4_prefix(mut self, bits: u8) -> Result<Self, InvalidPrefix> {
        if !(V4_BITS_MIN..=V4_BITS).contains(&bits) {
            return Err(InvalidPrefix {
                family: "IPv4",
                min: V4_BITS_MIN,
                max: V4_BITS,
                bits,
            });
        }
        self.v4_bits = bits;
        Ok(self)
    }
}

impl KeySource for ClientIp {
    type Key = IpAddr;

    fn key(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = (self.peer)(extensions)?.ip();
        Some(match self.proxies.client(Some(peer), headers)? {
            // The ranges of the bits keep the shifts below the width.
            IpAddr::V4(ip) => {
                let mask = u32::MAX << (V4_BITS - self.v4_bits);
                IpAddr::V4((ip.to_bits() & mask).into())
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX << (V6_BITS - self.v6_bits);
                IpAddr::V6((ip.to_bits() & mask).into())
            }
        })
    }
}

const V4_BITS: u8 = 32;
const V4_BITS_MIN: u8 = 8;
const V6_BITS: u8 = 128;
const V6_BITS_MIN: u8 = 16;
/// What a subscriber gets at least (RFC 6177, section 2).
const V6_SUBSCRIBER_BITS: u8 = 64;
