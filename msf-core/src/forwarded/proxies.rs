//! [`TrustedProxies`], and the way of a request through them.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    element::{SplitLast, address, forwarded_for},
    ip_range::IpRange,
};

/// More hops than any honest path has; what is further away is not read.
pub const HOPS_MAX: usize = 16;

/// Which proxies are believed about who the client is, and in which header they say it.
///
/// See the [module documentation](super) for the rules and an example.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    ranges: Vec<IpRange>,
    is_rfc7239: bool,
}

/// The client and the trusted proxies between it and us, the client first. Stored inline.
#[derive(Clone, Copy, Debug)]
pub struct Hops {
    addrs: [Option<IpAddr>; HOPS_MAX],
}

impl TrustedProxies {
    /// Nobody is believed: the client is the peer.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            ranges: Vec::new(),
            is_rfc7239: false,
        }
    }

    /// Believes proxies in this block of addresses, too.
    #[must_use]
    pub fn trust(mut self, proxies: IpRange) -> Self {
        self.ranges.push(proxies);
        self
    }

    /// Reads `Forwarded` (RFC 7239) instead of `X-Forwarded-For`.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use msf_core::forwarded::TrustedProxies;
    ///
    /// let proxies = TrustedProxies::none().trust("fd00::/8".parse()?).rfc7239();
    /// let mut headers = HeaderMap::new();
    /// headers.insert("forwarded", r#"for=6.6.6.6, for="[2001:db8::7]:4711";proto=https"#.parse()?);
    /// headers.insert("x-forwarded-for", "10.9.8.7".parse()?);
    ///
    /// let client = proxies.client(Some("fd00::1".parse()?), &headers);
    /// assert_eq!(client, Some("2001:db8::7".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn rfc7239(mut self) -> Self {
        self.is_rfc7239 = true;
        self
    }

    /// Whether this address is a trusted proxy's.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(ip))
    }

    /// The client's address; `peer` is the other end of the connection, `None` where that is not known.
    ///
    /// Without a peer nothing is believed, and the client is not known. It allocates nothing.
    #[must_use]
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        self.hops(peer, headers).client()
    }

    /// The way of the request as far as it is known: text that is no address ends it, and so does an address that
    /// is not trusted.
    #[must_use]
    pub fn hops(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Hops {
        let mut hops = Hops {
            addrs: [None; HOPS_MAX],
        };
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            return hops;
        };
        hops.addrs[0] = Some(peer);
        let mut len = 1;
        if self.trusts(peer) {
            let (name, separate): (_, fn(&[u8]) -> Option<IpAddr>) = if self.is_rfc7239 {
                (header::FORWARDED, forwarded_for)
            } else {
                (X_FORWARDED_FOR, address)
            };
            let lines = headers.get_all(name);
            let lines = lines.iter().rev().map(HeaderValue::as_bytes);
            for ip in lines.flat_map(|line| self.split(line)).map(separate) {
                let Some(ip) = ip else { break };
                if len == HOPS_MAX {
                    break;
                }
                hops.addrs[len] = Some(ip);
                len += 1;
                if !self.trusts(ip) {
                    break;
                }
            }
        }
        hops.addrs[..len].reverse();
        hops
    }

    const fn split<'a>(&self, line: &'a [u8]) -> SplitLast<'a> {
        SplitLast::new(line, b',')
    }
}

impl Hops {
    /// The client: the hop that is furthest away.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        self.addrs[0]
    }

    /// Client, proxies, peer, in this order.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> {
        self.addrs.iter().map_while(|ip| *ip)
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies::none()
            .trust("10.0.0.0/8".parse().unwrap())
            .trust("fd00::/8".parse().unwrap())
    }

    fn said(name: &'static str, lines: &[&str]) -> HeaderMap {
        let values = lines.iter().map(|line| (name, line));
        let mut headers = HeaderMap::new();
        for (name, line) in values {
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn a_proxy_in_ipv6_clothes_is_the_same_proxy() {
        let headers = said("x-forwarded-for", &["::ffff:203.0.113.9"]);
        let client = proxies().client(Some("::ffff:10.0.0.1".parse().unwrap()), &headers);
        assert_eq!(client, Some([203, 0, 113, 9].into()));
    }

    #[test]
    fn only_the_chosen_header_is_believed() {
        let mut headers = said("x-forwarded-for", &["192.0.2.1"]);
        headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.2"));
        let (x, rfc) = (proxies(), proxies().rfc7239());
        assert_eq!(x.client(Some(PROXY), &headers), Some([192, 0, 2, 1].into()));
        assert_eq!(
            rfc.client(Some(PROXY), &headers),
            Some([192, 0, 2, 2].into())
        );
    }

    #[test]
    fn a_line_of_absurd_length_is_no_address() {
        for filler in ["9", " ", "\"", "\\", "10.0.0.1,"] {
            let long = filler.repeat(100_000);
            for (proxies, name) in [
                (proxies(), "x-forwarded-for"),
                (proxies().rfc7239(), "forwarded"),
            ] {
                let client = proxies.client(Some(PROXY), &said(name, &[&long]));
                assert!(client.is_some_and(|ip| proxies.trusts(ip)), "{name}");
            }
        }
    }

    #[test]
    fn the_way_ends_where_nobody_is_trusted() {
        let headers = said(
            "x-forwarded-for",
            &["10.7.7.7, 6.6.6.6", "203.0.113.9 ,[fd00::2]:80"],
        );
        let hops = proxies().hops(Some(PROXY), &headers);
        let expected: [IpAddr; 3] = [[203, 0, 113, 9].into(), "fd00::2".parse().unwrap(), PROXY];
        assert_eq!(hops.iter().collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn a_stranger_decides_nothing(line in "[ -~]{0,60}", peer: u32) {
            let peer = IpAddr::from(peer.to_be_bytes());
            prop_assume!(!proxies().trusts(peer));
            for name in ["x-forwarded-for", "forwarded"] {
                let headers = said(name, &[&line]);
                prop_assert_eq!(proxies().client(Some(peer), &headers), Some(peer));
                prop_assert_eq!(proxies().rfc7239().client(Some(peer), &headers), Some(peer));
            }
        }

        #[test]
        fn what_the_client_says_changes_nothing(lies in "[ -~]{0,60}", client: u32, same_line: bool) {
            let client = IpAddr::from(client.to_be_bytes());
            prop_assume!(!proxies().trusts(client));
            for (proxies, name, true_part) in [
                (proxies(), "x-forwarded-for", client.to_string()),
                (proxies().rfc7239(), "forwarded", format!("for={client}")),
            ] {
                let headers = if same_line {
                    said(name, &[&format!("{lies}, {true_part}")])
                } else {
                    said(name, &[&lies, &true_part])
                };
                prop_assert_eq!(proxies.client(Some(PROXY), &headers), Some(client));
            }
        }
    }
}
