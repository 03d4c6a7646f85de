//! The elements of one header line, the last one first.

use std::net::{IpAddr, SocketAddr};

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    // A line of a megabyte is not looked at twice.
    if text.len() > ADDRESS_LEN_MAX {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let ip = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(ip.to_canonical())
}

/// The address in the `for` of an element of `Forwarded`, `None` for a hidden or malformed one.
pub(super) fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in SplitLast::new(element, b';') {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        let value = match value {
            [b'"', inner @ .., b'"'] => inner,
            token => token,
        };
        if name.eq_ignore_ascii_case(b"for") {
            // Said twice, one of them may be what the client smuggled in.
            if found.is_some() || value.contains(&b'"') || value.contains(&b'\\') {
                return None;
            }
            found = Some(value);
        }
    }
    address(found?)
}

/// Splits at a separator outside quoted strings (RFC 9110 §5.6.4), from the right.
///
/// From the left, a quote that the client never closes would hide what the proxies added behind it.
pub(super) struct SplitLast<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> SplitLast<'a> {
    pub(super) const fn new(line: &'a [u8], separator: u8) -> Self {
        Self {
            rest: Some(line),
            separator,
        }
    }
}

impl<'a> Iterator for SplitLast<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut is_quoted = false;
        for at in (0..rest.len()).rev() {
            if rest[at] == b'"' && !is_escaped(&rest[..at]) {
                is_quoted = !is_quoted;
            } else if rest[at] == self.separator && !is_quoted {
                self.rest = Some(&rest[..at]);
                return Some(&rest[at + 1..]);
            }
        }
        self.rest = None;
        Some(rest)
    }
}

/// Whether an odd number of backslashes stands before.
fn is_escaped(before: &[u8]) -> bool {
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

/// The longest address with brackets, scope and port is shorter.
const ADDRESS_LEN_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_separator_in_quotes_separates_nothing() {
        let line = br#"for=1.1.1.1, for="a,b\",c" ;x=1,"#;
        let elements: Vec<_> = SplitLast::new(line, b',').collect();
        let expected: [&[u8]; 3] = [b"", br#" for="a,b\",c" ;x=1"#, b"for=1.1.1.1"];
        assert_eq!(elements, expected);
    }

    #[test]
    fn a_quote_that_a_client_left_open_hides_no_proxy() {
        let line = br#"for=6.6.6.6, for=", for=203.0.113.9"#;
        let last = SplitLast::new(line, b',').next().and_then(forwarded_for);
        assert_eq!(last, Some([203, 0, 113, 9].into()));
    }

    #[test]
    fn an_element_says_one_address_or_none() {
        let said = |text: &str| forwarded_for(text.as_bytes());
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        assert_eq!(said("for=192.0.2.1"), Some([192, 0, 2, 1].into()));
        assert_eq!(
            said(" proto=http; FOR=\"192.0.2.1:80\""),
            Some([192, 0, 2, 1].into())
        );
        assert_eq!(
            said(r#"by=x;for="[2001:db8::7]:1";host="a;for=b""#),
            Some(v6)
        );
        assert_eq!(
            said("for=\"[::ffff:192.0.2.1]\""),
            Some([192, 0, 2, 1].into())
        );
        for text in [
            "",
            "for",
            "for=",
            "for=unknown",
            "for=_hidden",
            "for=1.1.1.1;for=2.2.2.2",
            r#"for="1.1.1.1"#,
            r#"for="1.1.1\.1""#,
            "192.0.2.1",
            "proto=http",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_panics(line in proptest::collection::vec(
            prop_oneof![Just(b','), Just(b'"'), Just(b'\\'), Just(b'='), Just(b';'), Just(b'f'), any::<u8>()], 0..60)
        ) {
            let mut elements: Vec<_> = SplitLast::new(&line, b',').collect();
            elements.reverse();
            prop_assert_eq!(elements.join(&b','), line.clone());
            let _ = forwarded_for(&line);
            let _ = address(&line);
        }

        #[test]
        fn what_a_proxy_appends_is_read_whatever_stands_before(line in "[ -~]{0,40}", ip: u32) {
            let ip = IpAddr::from(ip.to_be_bytes());
            // A backslash at the very end is followed by the proxy's comma, not by a quote.
            let line = format!("{line},for={ip}");
            let last = SplitLast::new(line.as_bytes(), b',').next().and_then(forwarded_for);
            prop_assert_eq!(last, Some(ip));
        }
    }
}
