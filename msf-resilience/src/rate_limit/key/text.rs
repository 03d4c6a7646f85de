//! [`Text`], a short text that needs no allocation.

use std::{
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
    str,
};

use super::digest::unkeyed;

/// A key of at most 63 bytes, stored inline.
///
/// A longer text becomes `#` and its 128-bit hash, the same in every process, so that the memory of a limiter is
/// bounded by its number of keys however long the texts are.
///
/// ```
/// use msf_resilience::rate_limit::key::Text;
///
/// assert_eq!(Text::from("ada").as_str(), "ada");
/// let long = Text::from("a".repeat(1_000_000).as_str());
/// assert_eq!((long.as_str().len(), &long.as_str()[..1]), (33, "#"));
/// ```
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; LEN_MAX],
    len: u8,
}

impl Text {
    /// The text, or what stands for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Bytes that are no text become their hash, too.
    pub(super) fn from_bytes(text: &[u8]) -> Self {
        if text.len() > LEN_MAX || str::from_utf8(text).is_err() {
            return Self::hashed(text);
        }
        let mut short = Self::empty();
        short.push(text);
        short
    }

    pub(super) fn hashed(text: &[u8]) -> Self {
        let mut hashed = Self::empty();
        // It has 33 bytes, so there is room.
        let _ = write!(hashed, "#{}", unkeyed(text));
        hashed
    }

    const fn empty() -> Self {
        Self {
            bytes: [0; LEN_MAX],
            len: 0,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// As much as fits.
    fn push(&mut self, text: &[u8]) {
        let start = usize::from(self.len);
        let end = (start + text.len()).min(LEN_MAX);
        self.bytes[start..end].copy_from_slice(&text[..end - start]);
        self.len = u8::try_from(end).unwrap_or(0);
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

const LEN_MAX: usize = 63;
