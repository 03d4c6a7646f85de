//! [`RequestId`], the content of the `x-request-id` header.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use bytes::Bytes;
use http::HeaderValue;

use super::hex;

/// The name a person quotes when a request went wrong.
///
/// It is 1 to 64 characters of RFC 3986's unreserved set, `A-Z a-z 0-9 - . _ ~`. Such an id needs
/// no escape in a log line, a URL, a header or a shell, so a caller cannot forge a second log line
/// with it; UUID, ULID and hex ids all fit. Anything else a caller sends is replaced, not repaired.
/// A clone is a reference count: one allocation names the request in every header and log line.
///
/// ```
/// use msf_core::trace::RequestId;
///
/// let id: RequestId = "01JD7Z6K3V-checkout".parse()?;
/// assert_eq!(id.as_str(), "01JD7Z6K3V-checkout");
///
/// assert!("a\nlevel=INFO admin logged in".parse::<RequestId>().is_err());
/// assert_eq!(RequestId::random().as_str().len(), 32);
/// # Ok::<(), msf_core::trace::InvalidRequestId>(())
/// ```
#[derive(Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Characters of an id, at most.
    pub const MAX_LEN: usize = 64;

    /// Makes an id of 128 random bits, as 32 lower-case hex digits. It is unique, but no secret.
    #[must_use]
    pub fn random() -> Self {
        let mut text = [0; 32];
        hex::encode(&fastrand::u128(..).to_be_bytes(), &mut text);
        Self::of_unreserved(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        hex::ascii(self.0.as_bytes())
    }

    /// The id as a header value, which allocates nothing.
    #[must_use]
    pub fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    pub(super) fn parse_bytes(text: &[u8]) -> Result<Self, InvalidRequestId> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(InvalidRequestId::Length);
        }
        if !text.iter().all(|byte| is_unreserved(*byte)) {
            return Err(InvalidRequestId::Character);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..text.len()].copy_from_slice(text);
        let len = text.len();
        Ok(Self::of_unreserved(Text { bytes, len }))
    }

    /// Of an owner: text and reference count are one allocation, and clones are none.
    fn of_unreserved(text: impl AsRef<[u8]> + Send + 'static) -> Self {
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
        Self(value.expect("unreserved characters are visible ASCII"))
    }
}

/// An id as a caller sent it.
struct Text {
    bytes: [u8; RequestId::MAX_LEN],
    len: usize,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        Self::parse_bytes(text.as_bytes())
    }
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RequestId {}

impl Hash for RequestId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Why a text is no [`RequestId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequestId {
    /// Empty, or more than 64 characters.
    #[error("a request id has 1 to 64 characters")]
    Length,
    /// A character outside the unreserved set.
    #[error("a request id has only letters, digits and -._~")]
    Character,
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_ids_are_refused() {
        let long = "a".repeat(65);
        let cases = [
            ("", InvalidRequestId::Length),
            (&long, InvalidRequestId::Length),
            ("a b", InvalidRequestId::Character),
            ("a\r\nset-cookie: x=y", InvalidRequestId::Character),
            ("\"quoted\"", InvalidRequestId::Character),
            ("\u{1b}[31mred", InvalidRequestId::Character),
            ("../../etc/passwd", InvalidRequestId::Character),
            ("${jndi:ldap}", InvalidRequestId::Character),
            ("na\u{ef}ve", InvalidRequestId::Character),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<RequestId>(), Err(reason), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn sane_ids_are_kept(text in "[A-Za-z0-9._~-]{1,64}") {
            let id: RequestId = text.parse().unwrap();
            prop_assert_eq!(id.as_str(), &text);
            prop_assert_eq!(id.to_header_value(), text);
        }

        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(id) = RequestId::parse_bytes(&bytes) {
                prop_assert_eq!(id.as_str().as_bytes(), bytes);
            }
        }
    }
}
