//! The grammar of one list member (W3C Baggage §3.2).

use super::super::{hex, ows};

/// A member as received: well-formed, but with optional white space.
pub(super) struct Member<'a> {
    key: &'a str,
    value: &'a str,
    properties: &'a str,
}

impl<'a> Member<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let (head, properties) = split_at(text, b';');
        let (key, value) = split_at(head, b'=');
        let (key, value) = (ows::trim(key), ows::trim(value?));
        let sound = is_token(key) && is_value(value) && properties.is_none_or(are_properties);
        sound.then(|| Self {
            key: hex::ascii(key),
            value: hex::ascii(value),
            properties: hex::ascii(properties.unwrap_or_default()),
        })
    }

    /// Writes the member without optional white space.
    pub(super) fn write(&self, out: &mut String) {
        out.push_str(self.key);
        out.push('=');
        out.push_str(self.value);
        write_properties(self.properties, out);
    }
}

/// Whether `text` is one property or several, separated by `;`.
pub(super) fn are_properties(text: &[u8]) -> bool {
    text.split(|byte| *byte == b';').all(|property| {
        let (key, value) = split_at(property, b'=');
        is_token(ows::trim(key)) && value.is_none_or(|value| is_value(ows::trim(value)))
    })
}

/// Writes well-formed properties, each behind a `;`, without optional white space.
pub(super) fn write_properties(properties: &str, out: &mut String) {
    for property in properties
        .split(';')
        .filter(|property| !property.is_empty())
    {
        out.push(';');
        match property.split_once('=') {
            Some((key, value)) => {
                out.push_str(key.trim_ascii());
                out.push('=');
                out.push_str(value.trim_ascii());
            }
            None => out.push_str(property.trim_ascii()),
        }
    }
}

/// `token` of RFC 9110 §5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// `baggage-octet`: visible ASCII but for `"`, `,`, `;` and `\`.
pub(super) fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| is_octet(*byte))
}

fn split_at(text: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == mark) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
