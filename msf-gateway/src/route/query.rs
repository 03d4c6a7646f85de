//! Parameters of a query and escapes, read without a copy where there is nothing to decode.

use std::borrow::Cow;

/// The values of a parameter, in the order of the query: percent-decoded, `+` as a space.
pub(crate) fn values<'q>(
    query: Option<&'q str>,
    name: &str,
) -> impl Iterator<Item = Cow<'q, [u8]>> {
    let pairs = query.unwrap_or_default().split('&');
    pairs.filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_it = !pair.is_empty() && unescape(key, true).eq(name.bytes());
        is_it.then(|| form_decoded(value))
    })
}

/// A part of a path, percent-decoded; bytes that are no UTF-8 become the replacement character, which the
/// canonical path does not have.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = unescape(text, false).collect();
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

fn form_decoded(value: &str) -> Cow<'_, [u8]> {
    if value.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        Cow::Owned(unescape(value, true).collect())
    } else {
        Cow::Borrowed(value.as_bytes())
    }
}

/// An escape without two digits stands for itself, as in browsers (WHATWG URL, percent-decode).
fn unescape(text: &str, plus_is_space: bool) -> impl Iterator<Item = u8> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let escape = match byte {
            b'%' => bytes.get(at + 1..at + 3).and_then(hex),
            _ => None,
        };
        at += if escape.is_some() { 3 } else { 1 };
        Some(match (escape, byte) {
            (Some(value), _) => value,
            (None, b'+') if plus_is_space => b' ',
            (None, byte) => byte,
        })
    })
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_compared_decoded() {
        let of = |query: &'static str, name: &str| -> Vec<String> {
            let text = |value: Cow<'_, [u8]>| String::from_utf8_lossy(&value).into_owned();
            values(Some(query), name).map(text).collect()
        };
        for (query, name, expected) in [
            ("a=1", "a", &["1"][..]),
            ("a=1&b=2&a=3", "a", &["1", "3"]),
            ("%61=1", "a", &["1"]),
            ("a=x+y%2B%zz%2", "a", &["x y+%zz%2"]),
            ("a", "a", &[""]),
            ("&&", "", &[]),
            ("=x", "", &["x"]),
            ("ab=1", "a", &[]),
            ("A=1", "a", &[]),
        ] {
            assert_eq!(of(query, name), expected, "{query}");
        }
        assert_eq!(values(None, "a").count(), 0);
    }
}
