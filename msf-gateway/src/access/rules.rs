//! [`IpRules`].

use std::{fmt, net::IpAddr};

use crate::headers::IpRange;

/// The blocks of addresses of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IpRules {
    pub(crate) allowed: Vec<IpRange>,
    pub(crate) denied: Vec<IpRange>,
}

impl IpRules {
    /// Whether there is no rule.
    pub(crate) const fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.denied.is_empty()
    }

    /// Whether this client may pass; `None` is one that is not known.
    pub(crate) fn permits(&self, client: Option<IpAddr>) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some(client) = client else { return false };
        let within = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(client));
        !within(&self.denied) && (self.allowed.is_empty() || within(&self.allowed))
    }
}

/// How many blocks there are, for people; the blocks themselves may be many.
impl fmt::Display for IpRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (allowed, denied) = (self.allowed.len(), self.denied.len());
        write!(f, "{allowed} blocks allowed, {denied} denied")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(allowed: &[&str], denied: &[&str]) -> IpRules {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        IpRules {
            allowed: parse(allowed),
            denied: parse(denied),
        }
    }

    #[test]
    fn denied_wins_over_allowed_and_the_unknown_pass_no_rule() {
        for (allowed, denied, client, expected) in [
            (&[][..], &[][..], Some("192.0.2.1"), true),
            (&[], &[], None, true),
            (&["10.0.0.0/8"], &[], Some("10.1.2.3"), true),
            (&["10.0.0.0/8"], &[], Some("::ffff:10.1.2.3"), true),
            (&["10.0.0.0/8"], &[], Some("11.1.2.3"), false),
            (&["10.0.0.0/8"], &[], None, false),
            (&[], &["10.0.0.0/8"], Some("10.1.2.3"), false),
            (&[], &["10.0.0.0/8"], Some("11.1.2.3"), true),
            (&[], &["10.0.0.0/8"], None, false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.1.2.3"), false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.2.2.3"), true),
            (&["2001:db8::/32"], &[], Some("2001:db8::7"), true),
            (&["0.0.0.0/0"], &[], Some("2001:db8::7"), false),
        ] {
            let client = client.map(|client: &str| client.parse().unwrap());
            assert_eq!(
                rules(allowed, denied).permits(client),
                expected,
                "{client:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn more_denied_blocks_never_let_more_pass(client: u32, block: u32, bits in 0_u8..=32) {
            let client = IpAddr::from(client.to_be_bytes());
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            let first = IpAddr::from((block & mask).to_be_bytes());
            let block = format!("{first}/{bits}");
            let few = rules(&["0.0.0.0/1"], &[]);
            let more = rules(&["0.0.0.0/1"], &[&block]);
            prop_assert!(few.permits(Some(client)) || !more.permits(Some(client)));
        }
    }
}
