//! How far an address is away: a pure function of the address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// How far calls may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// To addresses of the internet.
    Public,
    /// To those of the own network and machine also.
    Private,
    /// To any, also to those of metadata services and to those that are nobody's.
    Any,
}

impl Reach {
    pub(crate) fn covers(self, ip: IpAddr) -> bool {
        Self::needed_for(ip) <= self
    }

    fn needed_for(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::needed_for_v4(ip),
            IpAddr::V6(ip) => Self::needed_for_v6(ip),
        }
    }

    /// By the registry of RFC 6890.
    const fn needed_for_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            // "This network", link-local (which is where most metadata services are), multicast and above.
            [0, ..] | [169, 254, ..] | [224..=255, ..] => Self::Any,
            // The metadata service of Alibaba Cloud, and the host below a machine of Azure.
            [100, 100, 100, 200] | [168, 63, 129, 16] => Self::Any,
            [10 | 127, ..]
            | [100, 64..=127, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0, _]
            | [198, 18 | 19, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    const fn needed_for_v6(ip: Ipv6Addr) -> Self {
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Private,
            // An IPv4 address inside: compatible, translated (RFC 2765, RFC 6052), 6to4 (RFC 3056).
            [0, 0, 0, 0, 0, 0, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            | [0x2002, high, low, ..] => Self::needed_for_v4(inside(high, low)),
            // The translation of one's own network (RFC 8215), which may lead anywhere in it.
            [0x64, 0xff9b, 1, .., high, low] => match Self::needed_for_v4(inside(high, low)) {
                Self::Any => Self::Any,
                Self::Private | Self::Public => Self::Private,
            },
            // Teredo hides where it leads; then the metadata services of EC2, Oracle and Google, link-local, the
            // former site-local, and multicast.
            [0x2001, 0, ..]
            | [0xfd00, 0x0ec2, ..]
            | [0xfd00, 0x00c1, .., 0xa9fe, 0xa9fe]
            | [0xfd20, 0x00ce, .., 0x0254]
            | [0xfe80..=0xfeff, ..]
            | [0xff00..=0xffff, ..] => Self::Any,
            [0xfc00..=0xfdff, ..] => Self::Private,
            _ => Self::Public,
        }
    }
}

const fn inside(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// Resolves names to addresses within reach only.
///
/// The check is on what is connected to, not on an earlier answer, so a name that changes its address between a
/// check and the call (DNS rebinding) gains nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within {
    pub(super) reach: Reach,
    /// Whether `localhost` may be this machine all the same.
    pub(super) is_loopback_open: bool,
}

impl Within {
    fn allows(self, name: &str, ip: IpAddr) -> bool {
        let is_own = self.is_loopback_open && name == "localhost" && ip.is_loopback();
        is_own || self.reach.covers(ip)
    }
}

impl Resolve for Within {
    fn resolve(&self, name: Name) -> Resolving {
        let within = *self;
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> = lookup_host((name, 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|address| within.allows(name, address.ip()))
                .collect();
            match found.first() {
                Some(refused) if allowed.is_empty() => Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!(
                        "`{name}` is {}, which is no public address; private ones have to be allowed",
                        refused.ip()
                    ),
                )
                .into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needed(ip: &str) -> Reach {
        Reach::needed_for(ip.parse().unwrap())
    }

    #[test]
    fn addresses_are_as_far_as_their_registries_say() {
        for ip in [
            "8.8.8.8",
            "192.0.2.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1",
        ] {
            assert_eq!(needed(ip), Reach::Public, "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.19.0.1",
            "192.0.0.8",
            "::1",
            "fd12::1",
            "fc00::1",
            "64:ff9b:1::10.0.0.1",
        ] {
            assert_eq!(needed(ip), Reach::Private, "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:c1::a9fe:a9fe",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "2001:0:1::1",
        ] {
            assert_eq!(needed(ip), Reach::Any, "{ip}");
        }
    }

    #[test]
    fn an_address_in_other_clothes_is_the_same_address() {
        for clothes in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
        ] {
            assert_eq!(needed(clothes), Reach::Any, "{clothes}");
        }
        assert_eq!(needed("2002:a00:1::1"), Reach::Private);
        assert_eq!(needed("::ffff:0:127.0.0.1"), Reach::Private);
        assert_eq!(needed("64:ff9b::8.8.8.8"), Reach::Public);
        assert_eq!(needed("64:ff9b:1::8.8.8.8"), Reach::Private);
    }

    #[test]
    fn this_machine_is_only_open_under_its_own_name() {
        let within = Within {
            reach: Reach::Public,
            is_loopback_open: true,
        };
        let own: IpAddr = [127, 0, 0, 1].into();
        assert!(within.allows("localhost", own));
        assert!(!within.allows("id.example", own));
        assert!(!within.allows("localhost", [10, 0, 0, 1].into()));
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_private_is_never_public(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            if ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() {
                prop_assert!(!Reach::Public.covers(ip.into()));
                prop_assert!(!Reach::Public.covers(ip.to_ipv6_mapped().into()));
                let [a, b, c, d] = ip.octets().map(u16::from);
                let (high, low) = (a << 8 | b, c << 8 | d);
                for clothes in [
                    Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                ] {
                    prop_assert!(!Reach::Public.covers(clothes.into()), "{clothes}");
                }
            }
        }
    }
}
