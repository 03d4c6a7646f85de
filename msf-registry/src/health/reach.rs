//! Which addresses a registry lists and a check asks.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use msf_core::forwarded::IpRange;

use crate::model::Instance;

/// Which addresses may be registered and asked.
///
/// Whoever registers an instance names addresses that others connect to: callers, and the checker of the
/// registry. Without a limit that is a way to have them ask what only they can reach (server-side request
/// forgery). By default everything may be asked but addresses that no instance has and that are dangerous
/// or useless to ask: link-local ones, the metadata services of clouds, multicast, broadcast and
/// unspecified ones. The first two are refused also where they are written inside an IPv6 address (mapped, compatible,
/// translated, 6to4, NAT64 under its well-known prefixes, Teredo, ISATAP). A network that translates under a prefix of
/// its own is not known here: name what may be asked with [`only`](Self::only).
///
/// For [`allow`](Self::allow) and [`only`](Self::only) a mapped address (`::ffff:10.0.0.1`) is the IPv4 address that it
/// is another form of; the others are IPv6 addresses, since whom they reach is the translator's to say.
///
/// It is asked in three places: where an instance registers with a registry of ours, before a check, and before
/// callers see a list, [whatever backend](crate::RegistryBuilder::reach) it comes from.
///
/// Loopback and private addresses are allowed: that is where instances are. A registry that takes
/// registrations from people it does not trust names the one network that they live in with
/// [`only`](Self::only).
///
/// ```
/// use msf_registry::health::Reach;
///
/// let usual = Reach::default();
/// assert!(usual.contains("10.0.0.7".parse()?));
/// assert!(!usual.contains("169.254.169.254".parse()?));
/// assert!(!usual.contains("::ffff:169.254.169.254".parse()?));
///
/// let ours = Reach::default().only("10.0.0.0/8".parse()?);
/// assert!(!ours.contains("127.0.0.1".parse()?));
///
/// let odd = Reach::default().allow("169.254.7.0/24".parse()?);
/// assert!(odd.contains("169.254.7.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    allowed: Vec<IpRange>,
    only: Vec<IpRange>,
}

/// An address that may not be registered or asked.
///
/// ```
/// use msf_core::name::{InstanceId, ServiceName};
/// use msf_registry::{Instance, health::Reach};
///
/// let (service, id) = (ServiceName::new("payment")?, InstanceId::new("p-1")?);
/// let instance = Instance::new(service, id, "169.254.169.254:80".parse()?);
/// let error = Reach::default().validate(&instance).unwrap_err();
/// assert_eq!(error.field, "endpoints");
/// assert!(error.to_string().contains("a metadata service"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {addr} may not be asked: it is {kind}")]
#[non_exhaustive]
pub struct OutOfReach {
    /// The member of the instance that names it: `endpoints` or `health_check`.
    pub field: &'static str,
    /// The address.
    pub addr: SocketAddr,
    /// What is wrong with it.
    pub kind: OutOfReachKind,
}

/// Why an address is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutOfReachKind {
    /// It is not within what [`Reach::only`] names.
    Elsewhere,
    /// It is valid on one link only: `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// It is a metadata service of a cloud, which gives out credentials.
    Metadata,
    /// It is a group and no host: `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// It is everybody on a link: `255.255.255.255`.
    Broadcast,
    /// It names no host: `0.0.0.0/8`, `::`.
    Unspecified,
}

impl Reach {
    /// Allows addresses that are refused by default; may be called several times.
    #[must_use]
    pub fn allow(mut self, range: IpRange) -> Self {
        self.allowed.push(range);
        self
    }

    /// Refuses all other addresses; called several times, the ranges add up. What is refused by default
    /// stays refused within them, unless it is [allowed](Self::allow).
    #[must_use]
    pub fn only(mut self, range: IpRange) -> Self {
        self.only.push(range);
        self
    }

    /// Whether an address may be asked.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.refusal(ip).is_none()
    }

    /// Whether an instance names only addresses that may be asked, in its endpoints and its health check.
    ///
    /// # Errors
    ///
    /// [`OutOfReach`] with the first member that does not.
    pub fn validate(&self, instance: &Instance) -> Result<(), OutOfReach> {
        for endpoint in instance.endpoints() {
            self.check("endpoints", endpoint.addr)?;
        }
        match instance.health_check.as_ref().and_then(|check| check.at()) {
            Some(at) => self.check("health_check", at),
            None => Ok(()),
        }
    }

    pub(crate) fn check(&self, field: &'static str, addr: SocketAddr) -> Result<(), OutOfReach> {
        match self.refusal(addr.ip()) {
            Some(kind) => Err(OutOfReach { field, addr, kind }),
            None => Ok(()),
        }
    }

    fn refusal(&self, ip: IpAddr) -> Option<OutOfReachKind> {
        let ip = ip.to_canonical();
        let is_in = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(ip));
        if is_in(&self.allowed) {
            return None;
        }
        let special = match ip {
            IpAddr::V4(ip) => special_v4(ip),
            IpAddr::V6(ip) => special_v6(ip),
        };
        let is_elsewhere = !self.only.is_empty() && !is_in(&self.only);
        special.or_else(|| is_elsewhere.then_some(OutOfReachKind::Elsewhere))
    }
}

impl OutOfReachKind {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere => "outside of the allowed networks",
            Self::LinkLocal => "link-local",
            Self::Metadata => "a metadata service",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
        }
    }
}

impl fmt::Display for OutOfReachKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn special_v4(ip: Ipv4Addr) -> Option<OutOfReachKind> {
    if METADATA_V4.contains(&ip) {
        Some(OutOfReachKind::Metadata)
    } else if ip.is_link_local() {
        Some(OutOfReachKind::LinkLocal)
    } else if ip.is_multicast() {
        Some(OutOfReachKind::Multicast)
    } else if ip.is_broadcast() {
        Some(OutOfReachKind::Broadcast)
    } else {
        // Linux takes all of 0.0.0.0/8 for "this host" or refuses it; nobody listens there by intent.
        (ip.octets()[0] == 0).then_some(OutOfReachKind::Unspecified)
    }
}

fn special_v6(ip: Ipv6Addr) -> Option<OutOfReachKind> {
    // AWS keeps all of fd00:ec2::/32 for itself; credentials are given out at ::254 and at ::23.
    if ip == METADATA_GOOGLE || matches!(ip.segments(), [0xfd00, 0xec2, ..]) {
        Some(OutOfReachKind::Metadata)
    } else if ip.is_unicast_link_local() {
        Some(OutOfReachKind::LinkLocal)
    } else if ip.is_multicast() {
        Some(OutOfReachKind::Multicast)
    } else {
        let inside = embedded(ip).into_iter().flatten().filter_map(special_v4);
        // No translator sends to the others, and bits of a prefix may look like one.
        let inside = inside
            .filter(|kind| matches!(kind, OutOfReachKind::Metadata | OutOfReachKind::LinkLocal));
        inside
            .min_by_key(|kind| *kind != OutOfReachKind::Metadata)
            .or_else(|| ip.is_unspecified().then_some(OutOfReachKind::Unspecified))
    }
}

/// The IPv4 addresses that packets to an IPv6 address may end at; several where the prefix leaves open where it ends.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let at = |bytes: [usize; 4]| {
        let octets = ip.octets();
        Some(Ipv4Addr::from(bytes.map(|n| octets[n])))
    };
    let last = at([12, 13, 14, 15]);
    match ip.segments() {
        // `::` and `::1` are addresses of IPv6 itself.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        // Compatible (RFC 4291, section 2.5.5.1), translated (RFC 2765) and the prefix of NAT64 (RFC 6052).
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [last, None, None, None]
        }
        // The prefix of NAT64 for local use (RFC 8215): 48, 56, 64 or 96 bits, and bits 64 to 71 left out.
        [0x64, 0xff9b, 1, ..] => [
            at([6, 7, 9, 10]),
            at([7, 9, 10, 11]),
            at([9, 10, 11, 12]),
            last,
        ],
        // 6to4 (RFC 3056).
        [0x2002, ..] => [at([2, 3, 4, 5]), None, None, None],
        // Teredo (RFC 4380): the server, and the client with all bits turned.
        [0x2001, 0, ..] => {
            let client = last.map(|ip| Ipv4Addr::from_bits(!ip.to_bits()));
            [at([4, 5, 6, 7]), client, None, None]
        }
        // ISATAP (RFC 5214), under any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [last, None, None, None],
        _ => [None; 4],
    }
}

/// AWS, Azure, Google, OpenStack and others; Alibaba; Azure's wire server; Oracle's first generation.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Google.
const METADATA_GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use msf_core::name::{InstanceId, ServiceName};

    use super::*;

    fn kind(reach: &Reach, ip: &str) -> Option<OutOfReachKind> {
        reach.refusal(ip.parse().unwrap())
    }

    #[test]
    fn addresses_of_no_instance_are_refused() {
        let reach = Reach::default();
        for (ip, expected) in [
            ("169.254.1.1", OutOfReachKind::LinkLocal),
            ("fe80::1", OutOfReachKind::LinkLocal),
            ("febf::1", OutOfReachKind::LinkLocal),
            ("169.254.169.254", OutOfReachKind::Metadata),
            ("100.100.100.200", OutOfReachKind::Metadata),
            ("168.63.129.16", OutOfReachKind::Metadata),
            ("fd00:ec2::254", OutOfReachKind::Metadata),
            ("fd00:ec2::23", OutOfReachKind::Metadata),
            ("fd20:ce::254", OutOfReachKind::Metadata),
            ("224.0.0.1", OutOfReachKind::Multicast),
            ("ff02::1", OutOfReachKind::Multicast),
            ("255.255.255.255", OutOfReachKind::Broadcast),
            ("0.0.0.0", OutOfReachKind::Unspecified),
            ("0.1.2.3", OutOfReachKind::Unspecified),
            ("::", OutOfReachKind::Unspecified),
        ] {
            assert_eq!(kind(&reach, ip), Some(expected), "{ip}");
        }
    }

    #[test]
    fn what_is_refused_is_refused_inside_ipv6() {
        let reach = Reach::default();
        for ip in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "2002:a9fe:a9fe::1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00::",
            "2001:0:a9fe:a9fe::",
            "2001::5601:5601",
            "2001:db8::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
        ] {
            assert_eq!(kind(&reach, ip), Some(OutOfReachKind::Metadata), "{ip}");
        }
        assert_eq!(kind(&reach, "::ffff:10.0.0.1"), None);
        assert_eq!(kind(&reach, "::1"), None);
    }

    #[test]
    fn only_a_mapped_address_is_within_an_ipv4_network() {
        let range = |text: &str| text.parse().unwrap();
        let only = Reach::default().only(range("10.0.0.0/8"));
        assert_eq!(kind(&only, "::ffff:10.0.0.1"), None);
        for ip in [
            "::ffff:11.0.0.1",
            "2002:a00:1::dead",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "::10.0.0.1",
        ] {
            let elsewhere = Some(OutOfReachKind::Elsewhere);
            assert_eq!(kind(&only, ip), elsewhere, "{ip}");
        }
        let translated = Reach::default().only(range("64:ff9b::/96"));
        assert_eq!(kind(&translated, "64:ff9b::203.0.113.9"), None);
        let metadata = Some(OutOfReachKind::Metadata);
        assert_eq!(kind(&translated, "64:ff9b::169.254.169.254"), metadata);
    }

    #[test]
    fn where_instances_are_is_allowed() {
        for ip in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "203.0.113.9",
            "::1",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert_eq!(kind(&Reach::default(), ip), None, "{ip}");
        }
    }

    #[test]
    fn only_narrows_and_allow_widens() {
        let range = |text: &str| text.parse().unwrap();
        let reach = Reach::default()
            .only(range("10.0.0.0/8"))
            .only(range("169.254.0.0/16"))
            .allow(range("169.254.7.0/24"));
        assert_eq!(kind(&reach, "10.9.9.9"), None);
        assert_eq!(kind(&reach, "169.254.7.1"), None);
        let link_local = Some(OutOfReachKind::LinkLocal);
        assert_eq!(kind(&reach, "169.254.8.1"), link_local);
        assert_eq!(kind(&reach, "127.0.0.1"), Some(OutOfReachKind::Elsewhere));
    }

    #[test]
    fn every_address_of_an_instance_counts() {
        let (service, id) = (ServiceName::new("payment"), InstanceId::new("p-1"));
        let instance = Instance::new(service.unwrap(), id.unwrap(), ([10, 0, 0, 1], 80).into());
        let reach = Reach::default();
        assert_eq!(reach.validate(&instance), Ok(()));
        let elsewhere = instance
            .clone()
            .endpoint("tcp://[fe80::1]:80".parse().unwrap());
        assert_eq!(reach.validate(&elsewhere).unwrap_err().field, "endpoints");
        let check = "http://169.254.169.254:80/latest".parse().unwrap();
        let checked = reach.validate(&instance.health_check(check)).unwrap_err();
        assert_eq!(checked.field, "health_check");
        assert_eq!(checked.kind, OutOfReachKind::Metadata);
    }
}
