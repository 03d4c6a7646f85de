//! Who the caller was: `X-Forwarded-For`, `-Proto`, `-Host`, and `Forwarded` (RFC 7239) on request.
//!
//! Anybody can send these headers, so what arrives counts only as far as it comes from a proxy that is
//! trusted by its address. Without trusted proxies, the default, the client is the peer, and what it says
//! about itself is replaced. With them, `X-Forwarded-For` is read from its right end: the first address
//! that is not a trusted proxy's is the client, and what stands to the left of it, which that client may
//! have made up, is dropped. So the services behind may take the *first* address for the client.
//!
//! ```
//! use http::HeaderMap;
//! use msf_gateway::headers::forwarded::Forwarding;
//!
//! let forwarding = Forwarding::default().trust("10.0.0.0/8".parse()?);
//! let mut headers = HeaderMap::new();
//! headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2".parse()?);
//!
//! let client = forwarding.rewrite(Some([10, 0, 0, 1].into()), None, &mut headers);
//! assert_eq!(client, Some([203, 0, 113, 9].into()));
//! assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 10.0.0.2, 10.0.0.1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{fmt::Write as _, net::IpAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use msf_core::forwarded::{HOPS_MAX, Hops, TrustedProxies};

use super::{IpRange, Peer, remove_where};

/// Which proxies are believed, and what is said to the services.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`trust`](Self::trust) | nobody | a header is no proof |
/// | [`https`](Self::https) | off | a listener without TLS speaks plain HTTP; one with it says `https` anyway |
/// | [`rfc7239`](Self::rfc7239) | off | few services read it, and each header costs an allocation |
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    proxies: TrustedProxies,
    is_https: bool,
    is_rfc7239: bool,
}

impl Forwarding {
    /// Believes proxies in this block of addresses.
    #[must_use]
    pub fn trust(mut self, proxies: IpRange) -> Self {
        self.proxies = self.proxies.trust(proxies);
        self
    }

    /// Whether a peer is a proxy that is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.trusts(peer)
    }

    /// Says `https` to the services, for a gateway behind something that ends TLS for all clients.
    #[must_use]
    pub const fn https(mut self) -> Self {
        self.is_https = true;
        self
    }

    /// Writes `Forwarded` beside the `X-Forwarded-*` headers.
    #[must_use]
    pub const fn rfc7239(mut self) -> Self {
        self.is_rfc7239 = true;
        self
    }

    /// Replaces what the request says by what is known, and returns the client's address.
    ///
    /// `peer` is the other end of the connection, `None` where that is not known, and `host` what the client
    /// called this server.
    pub fn rewrite(
        &self,
        peer: Option<IpAddr>,
        host: Option<&HeaderValue>,
        headers: &mut HeaderMap,
    ) -> Option<IpAddr> {
        let peer = Peer {
            ip: peer,
            ..Peer::default()
        };
        self.rewrite_seen(peer, || None, host, true, headers)
    }

    /// Whether the client spoke TLS, as far as that is known.
    pub(crate) fn is_https(&self, peer: Peer, headers: &HeaderMap) -> bool {
        match said_proto(headers) {
            Some(said) if self.trusts_peer(peer) => said == HTTPS,
            _ => self.is_https || peer.is_encrypted,
        }
    }

    /// What a trusted proxy says that the client called it.
    pub(crate) fn said_host<'a>(
        &self,
        peer: Peer,
        headers: &'a HeaderMap,
    ) -> Option<&'a HeaderValue> {
        only(headers, &X_FORWARDED_HOST).filter(|_| self.trusts_peer(peer))
    }

    fn trusts_peer(&self, peer: Peer) -> bool {
        peer.ip.is_some_and(|ip| self.trusts(ip))
    }

    /// As [`rewrite`](Self::rewrite), for a peer whose address has been written before, and for headers that
    /// may be known to say nothing.
    pub(super) fn rewrite_seen(
        &self,
        peer: Peer,
        written: impl FnOnce() -> Option<HeaderValue>,
        host: Option<&HeaderValue>,
        is_said: bool,
        headers: &mut HeaderMap,
    ) -> Option<IpAddr> {
        let own_proto = if self.is_https || peer.is_encrypted {
            HTTPS
        } else {
            "http"
        };
        if !is_said && !self.is_rfc7239 {
            let client = peer.ip.map(|peer| peer.to_canonical());
            if let Some(client) = client
                && let Some(value) = written().or_else(|| to_header_value([client]))
            {
                headers.insert(X_FORWARDED_FOR, value);
            }
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(own_proto));
            if let Some(host) = host {
                headers.insert(X_FORWARDED_HOST, host.clone());
            }
            return client;
        }
        let is_trusted = self.trusts_peer(peer);
        let hops = self.proxies.hops(peer.ip, headers);
        let (proto, said_host) = if is_trusted {
            (
                said_proto(headers),
                only(headers, &X_FORWARDED_HOST).cloned(),
            )
        } else {
            (None, None)
        };
        remove_where(headers, is_forwarding);

        let proto = proto.unwrap_or(own_proto);
        let host = said_host.or_else(|| host.cloned());
        if let Some(value) = to_header_value(hops.iter()) {
            headers.insert(X_FORWARDED_FOR, value);
        }
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        if self.is_rfc7239
            && let Some(value) = to_rfc7239(&hops, proto, host.as_ref())
        {
            headers.insert(header::FORWARDED, value);
        }
        if let Some(host) = host {
            headers.insert(X_FORWARDED_HOST, host);
        }
        hops.client()
    }
}

fn to_header_value(hops: impl IntoIterator<Item = IpAddr>) -> Option<HeaderValue> {
    let mut text = Text::default();
    for (at, ip) in hops.into_iter().enumerate() {
        let separator = if at > 0 { ", " } else { "" };
        write!(text, "{separator}{ip}").ok()?;
    }
    text.to_header_value()
}

fn to_rfc7239(hops: &Hops, proto: &str, host: Option<&HeaderValue>) -> Option<HeaderValue> {
    let mut text = String::new();
    for (at, ip) in hops.iter().enumerate() {
        let separator = if at > 0 { ", " } else { "" };
        match ip {
            IpAddr::V4(ip) => write!(text, "{separator}for={ip}").ok()?,
            IpAddr::V6(ip) => write!(text, "{separator}for=\"[{ip}]\"").ok()?,
        }
    }
    let separator = if text.is_empty() { "" } else { ";" };
    write!(text, "{separator}proto={proto}").ok()?;
    // A quote or backslash would end the quoted string (RFC 9110 §5.6.4).
    if let Some(host) = host.and_then(|host| host.to_str().ok())
        && !host.contains(['"', '\\'])
    {
        write!(text, ";host=\"{host}\"").ok()?;
    }
    HeaderValue::try_from(text).ok()
}

/// A short text on the stack, so that the usual header costs the one allocation of its value.
struct Text {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; TEXT_MAX],
            len: 0,
        }
    }
}

impl Text {
    fn to_header_value(&self) -> Option<HeaderValue> {
        let text = self.bytes.get(..self.len)?;
        (!text.is_empty()).then(|| HeaderValue::from_bytes(text).ok())?
    }
}

impl std::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn said_proto(headers: &HeaderMap) -> Option<&'static str> {
    match only(headers, &X_FORWARDED_PROTO)?.as_bytes() {
        b"https" => Some(HTTPS),
        b"http" => Some("http"),
        _ => None,
    }
}

/// The value of a header that stands there once. Of two, one may be the client's and be left by a proxy that
/// adds its own.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

pub(super) fn is_forwarding(name: &HeaderName) -> bool {
    *name == header::FORWARDED || name.as_str().starts_with("x-forwarded")
}

const HTTPS: &str = "https";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The longest address, with a separator, for every hop.
const TEXT_MAX: usize = HOPS_MAX * 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    fn rewritten(
        forwarding: &Forwarding,
        peer: Option<IpAddr>,
        lines: &[(&'static str, &'static str)],
    ) -> (Option<IpAddr>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let host = HeaderValue::from_static("shop.example");
        let client = forwarding.rewrite(peer, Some(&host), &mut headers);
        (client, headers)
    }

    fn behind_proxies() -> Forwarding {
        Forwarding::default()
            .trust("10.0.0.0/8".parse().unwrap())
            .trust("fd00::/8".parse().unwrap())
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lies = [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "admin.example"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-client-cert", "subject=admin"),
            ("forwarded", "for=10.0.0.1"),
        ];
        let (client, headers) = rewritten(&behind_proxies(), Some(CLIENT), &lies);
        assert_eq!(client, Some(CLIENT));
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers.len(), 3, "{headers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        let said = [
            ("x-forwarded-for", "10.0.0.1, 6.6.6.6"),
            ("x-forwarded-for", "203.0.113.9:5123 ,[fd00::2]:80"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "www.shop.example"),
        ];
        let (client, headers) = rewritten(&behind_proxies(), Some([10, 9, 9, 9].into()), &said);
        assert_eq!(client, Some(CLIENT));
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9, fd00::2, 10.9.9.9");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "www.shop.example");
    }

    #[test]
    fn nonsense_ends_what_is_known() {
        for (said, expected) in [
            ("203.0.113.9, \u{e9}, 10.0.0.2", "10.0.0.2, 10.0.0.1"),
            ("203.0.113.9, unknown, 10.0.0.2", "10.0.0.2, 10.0.0.1"),
            ("203.0.113.9, _hidden", "10.0.0.1"),
            ("203.0.113.9,", "10.0.0.1"),
            ("\"203.0.113.9\"", "10.0.0.1"),
        ] {
            let lines = [("x-forwarded-for", said), ("x-forwarded-proto", "gopher")];
            let (_, headers) = rewritten(&behind_proxies(), Some([10, 0, 0, 1].into()), &lines);
            assert_eq!(headers["x-forwarded-for"], expected);
            assert_eq!(headers["x-forwarded-proto"], "http");
        }
    }

    #[test]
    fn a_line_that_is_no_text_hides_no_address() {
        let proxy = Some([10, 0, 0, 1].into());
        // The client made up the first line and all but the end of the second, where a proxy put its address.
        let said = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "\u{e9}, 203.0.113.9"),
        ];
        assert_eq!(rewritten(&behind_proxies(), proxy, &said).0, Some(CLIENT));
        let said = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "\u{e9}"),
        ];
        assert_eq!(rewritten(&behind_proxies(), proxy, &said).0, proxy);
    }

    #[test]
    fn what_is_said_twice_is_not_known() {
        // One of the two is the client's, and which one depends on the proxy.
        let said = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "www.shop.example"),
        ];
        let proxy = Some([10, 0, 0, 1].into());
        let (_, headers) = rewritten(&behind_proxies(), proxy, &said);
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
    }

    #[test]
    fn an_unknown_peer_says_nothing() {
        let (client, headers) =
            rewritten(&behind_proxies(), None, &[("x-forwarded-for", "10.0.0.1")]);
        assert_eq!(client, None);
        assert!(!headers.contains_key("x-forwarded-for"));
    }

    #[test]
    fn the_standard_header_is_quoted() {
        let forwarding = behind_proxies().rfc7239().https();
        let said = [
            ("x-forwarded-for", "2001:db8::7"),
            ("forwarded", "for=evil"),
        ];
        let (_, headers) = rewritten(&forwarding, Some("fd00::1".parse().unwrap()), &said);
        assert_eq!(
            headers["forwarded"],
            "for=\"[2001:db8::7]\", for=\"[fd00::1]\";proto=https;host=\"shop.example\""
        );
    }

    proptest! {
        #[test]
        fn without_trust_the_client_is_the_peer(said in "[0-9a-f:., \\[\\]]{0,40}", peer: u32) {
            let peer = IpAddr::from(peer.to_be_bytes());
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_FOR, said.parse().unwrap());
            let client = Forwarding::default().rewrite(Some(peer), None, &mut headers);
            prop_assert_eq!(client, Some(peer));
            prop_assert_eq!(&headers[X_FORWARDED_FOR], &peer.to_string());
        }

        #[test]
        fn a_chain_of_any_length_is_bounded(hops in proptest::collection::vec(any::<[u8; 3]>(), 0..40)) {
            let said = hops.iter().map(|[a, b, c]| format!("10.{a}.{b}.{c}")).collect::<Vec<_>>().join(",");
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_FOR, said.parse().unwrap());
            behind_proxies().rewrite(Some([10, 0, 0, 1].into()), None, &mut headers);
            let written = headers[X_FORWARDED_FOR].to_str().unwrap();
            prop_assert_eq!(written.split(',').count(), (hops.len() + 1).min(HOPS_MAX));
        }
    }
}
