//! Queries.

use std::fmt::Write;

/// Adds `name=value` to a path, percent-encoding all but the unreserved characters (RFC 3986 section
/// 2.3), so that no value can end its place.
pub(super) fn append(path: &mut String, name: &str, value: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    encode(path, name);
    path.push('=');
    encode(path, value);
}

/// Pairs as a form. A space is `%20`, which every reader of forms takes as well as `+`.
pub(super) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        encode(&mut form, name);
        form.push('=');
        encode(&mut form, value);
    }
    form
}

pub(super) fn encode(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_cannot_end_its_place() {
        let mut path = String::from("/orders");
        append(&mut path, "owner", "a&admin=1#x");
        append(&mut path, "name", "ä b");
        assert_eq!(path, "/orders?owner=a%26admin%3D1%23x&name=%C3%A4%20b");
    }

    #[test]
    fn a_form_is_pairs() {
        assert_eq!(form([]), "");
        assert_eq!(form([("a", "1&b=2"), ("c", "")]), "a=1%26b%3D2&c=");
    }

    proptest! {
        #[test]
        fn every_text_makes_a_valid_address(name in ".{0,20}", value in ".{0,40}") {
            let mut path = String::from("/a");
            append(&mut path, &name, &value);
            prop_assert!(path.parse::<http::Uri>().is_ok(), "{}", path);
            prop_assert_eq!(path.matches(['&', '#']).count(), 0);
        }
    }
}
