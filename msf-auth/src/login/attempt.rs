//! Who wants to log in, and from where.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Somebody who wants to log in.
///
/// ```
/// use msf_auth::login::Attempt;
///
/// let attempt = Attempt::new("ada@example.com").subject("7").address("2001:db8::7".parse()?);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Attempt<'a> {
    pub(super) account: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) network: Option<IpAddr>,
    pub(super) device: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    /// For an account, by the name that was typed: in the one spelling by which accounts are told apart, since each
    /// spelling has its own counter. Whether there is such an account makes no difference.
    pub const fn new(account: &'a str) -> Self {
        Self {
            account,
            subject: None,
            network: None,
            device: None,
        }
    }

    /// Whose account it is, when there is one. It is what the audit says: what was typed as a name is sometimes the
    /// password, and is told to nobody.
    pub const fn subject(mut self, subject: &'a str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Where it comes from, as the connection or a trusted proxy says. An IPv4 address counts by itself, an
    /// IPv6 address by its first 64 bits, which is what one customer has at least.
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.network = Some(network(address));
        self
    }

    /// What the device was [given](super::LoginLimiter::device) when it logged in before, from its cookie. One that is not
    /// valid for the account is as good as none.
    pub const fn device(mut self, device: &'a str) -> Self {
        self.device = Some(device);
        self
    }
}

const fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

/// What somebody has who has a network: an IPv4 address, or the first 48 bits of an IPv6 address (RFC 6177).
pub(super) fn site(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V4(_) => network,
        IpAddr::V6(address) => {
            let prefix = address.to_bits() >> 80 << 80;
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

/// Without what was typed as the name, and without the cookie.
impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("subject", &self.subject)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_one_network() {
        for (address, expected, of) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ] {
            let network = network(address.parse().unwrap());
            assert_eq!(network, expected.parse::<IpAddr>().unwrap());
            assert_eq!(site(network), of.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn nothing_that_was_typed_is_shown() {
        let attempt = Attempt::new("hunter2").device("hunter3");
        assert!(!format!("{attempt:?}").contains("hunter"));
    }
}
