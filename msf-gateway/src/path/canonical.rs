//! [`CanonicalPath`].

use std::{borrow::Cow, fmt};

use super::InvalidPath;

/// A path in its one spelling; see the [module documentation](super).
///
/// A path that is canonical already is borrowed, so the usual request costs one pass and no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalPath<'a>(Cow<'a, str>);

impl<'a> CanonicalPath<'a> {
    /// Brings the path of a request target, without its query, into its one spelling.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] if somebody could read it in another way.
    pub fn parse(path: &'a str) -> Result<Self, InvalidPath> {
        if !path.starts_with('/') {
            return Err(InvalidPath::NotAbsolute);
        }
        let canonical = match path.bytes().position(|byte| !is_plain(byte)) {
            None => Cow::Borrowed(path),
            Some(plain) => normalise(path, plain)?,
        };
        check_segments(&canonical)?;
        Ok(Self(canonical))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path came in its one spelling.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What may stand in a path as it is: `pchar` without `%` and `;`, and `/` (RFC 3986 §3.3).
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The spelling of a path of which only the first `plain` bytes are known to need no change.
fn normalise(path: &str, plain: usize) -> Result<Cow<'_, str>, InvalidPath> {
    let bytes = path.as_bytes();
    let mut text = String::with_capacity(path.len());
    text.push_str(&path[..plain]);
    let mut at = plain;
    let mut is_ascii = true;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            text.push(char::from(raw(byte)?));
            at += 1;
            continue;
        }
        let value = escaped(bytes, at).ok_or(InvalidPath::Encoding)?;
        at += ESCAPE_LEN;
        if is_unreserved(value) {
            text.push(char::from(value));
        } else {
            check_escaped(value)?;
            is_ascii &= value.is_ascii();
            push_escape(&mut text, value);
        }
    }
    if is_encoded_twice(&text) {
        return Err(InvalidPath::DoubleEncoding);
    }
    if !is_ascii && !decodes_to_utf8(&text) {
        return Err(InvalidPath::NotUtf8);
    }
    Ok(if text == path {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(text)
    })
}

const fn raw(byte: u8) -> Result<u8, InvalidPath> {
    match byte {
        b'\\' => Err(InvalidPath::Separator),
        b';' => Err(InvalidPath::Parameter),
        byte if is_plain(byte) => Ok(byte),
        _ => Err(InvalidPath::Character),
    }
}

const fn check_escaped(value: u8) -> Result<(), InvalidPath> {
    match value {
        b'/' | b'\\' => Err(InvalidPath::Separator),
        b';' => Err(InvalidPath::Parameter),
        0..=0x1f | 0x7f => Err(InvalidPath::Control),
        _ => Ok(()),
    }
}

/// The byte that the escape at `at` stands for.
fn escaped(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let high = digit(*bytes.get(at + 1)?)?;
    let low = digit(*bytes.get(at + 2)?)?;
    u8::try_from(high << 4 | low).ok()
}

fn push_escape(text: &mut String, value: u8) {
    text.push('%');
    text.push(char::from(HEX[usize::from(value >> 4)]));
    text.push(char::from(HEX[usize::from(value & 0xf)]));
}

/// Asked of the result and not of the input: `%25%32f` is an escape only once its `%32` is decoded.
fn is_encoded_twice(text: &str) -> bool {
    text.match_indices("%25").any(|(at, percent)| {
        let rest = &text.as_bytes()[at + percent.len()..];
        matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    })
}

fn decodes_to_utf8(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let value = if byte == b'%' {
            escaped(bytes, at)
        } else {
            None
        };
        decoded.push(value.unwrap_or(byte));
        at += if value.is_some() { ESCAPE_LEN } else { 1 };
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn check_segments(path: &str) -> Result<(), InvalidPath> {
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(InvalidPath::DotSegment),
            "" if segments.peek().is_some() => return Err(InvalidPath::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

const ESCAPE_LEN: usize = "%2f".len();
const HEX: &[u8; 16] = b"0123456789ABCDEF";
