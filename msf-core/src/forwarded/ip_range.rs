//! [`IpRange`], a block of addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// A block of addresses in CIDR notation, or one address.
///
/// ```
/// use msf_core::forwarded::IpRange;
///
/// let private: IpRange = "10.0.0.0/8".parse()?;
/// assert!(private.contains([10, 1, 2, 3].into()));
/// assert!(!private.contains([11, 0, 0, 1].into()));
/// assert!("10.0.0.1/8".parse::<IpRange>().is_err(), "host bits are set");
/// # Ok::<(), msf_core::forwarded::InvalidIpRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpRange {
    first: IpAddr,
    bits: u8,
}

/// A text that is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no block of addresses such as \"10.0.0.0/8\", \"fd00::/8\" or \"192.0.2.7\"")]
#[non_exhaustive]
pub struct InvalidIpRange(pub Box<str>);

impl IpRange {
    /// Whether an address is in the block; an IPv4 address in IPv6 clothes counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.first, ip.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => {
                let shift = V4_BITS - u32::from(self.bits);
                u64::from(first.to_bits()) >> shift == u64::from(ip.to_bits()) >> shift
            }
            (IpAddr::V6(first), IpAddr::V6(ip)) => {
                let shift = V6_BITS - u32::from(self.bits);
                first.to_bits().checked_shr(shift).unwrap_or(0)
                    == ip.to_bits().checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let (width, host) = match first {
            IpAddr::V4(first) => (V4_BITS, u128::from(first.to_bits())),
            IpAddr::V6(first) => (V6_BITS, first.to_bits()),
        };
        let bits = match bits {
            Some(bits) => bits.parse::<u8>().ok()?,
            None => u8::try_from(width).ok()?,
        };
        let free = width.checked_sub(u32::from(bits))?;
        let mask = 1_u128.checked_shl(free).unwrap_or(0).wrapping_sub(1);
        // A set host bit is a typing error more often than not, and silently trusting more is worse.
        (host & mask == 0).then_some(Self { first, bits })
    }
}

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        Self::parse(text)
            .ok_or_else(|| InvalidIpRange(text.chars().take(80).collect::<String>().into()))
    }
}

impl From<IpAddr> for IpRange {
    fn from(ip: IpAddr) -> Self {
        let first = ip.to_canonical();
        let bits = if first.is_ipv4() { 32 } else { 128 };
        Self { first, bits }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

const V4_BITS: u32 = 32;
const V6_BITS: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_what_their_bits_say() {
        let cases = [
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.0/31", "192.0.2.1", true),
            ("192.0.2.0/31", "192.0.2.2", false),
            ("10.0.0.0/8", "::ffff:10.9.9.9", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1", "::1", true),
        ];
        for (range, ip, expected) in cases {
            let range: IpRange = range.parse().unwrap();
            assert_eq!(
                range.contains(ip.parse().unwrap()),
                expected,
                "{range} {ip}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1/8",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<IpRange>().is_err(), "{text:?}");
        }
    }
}
