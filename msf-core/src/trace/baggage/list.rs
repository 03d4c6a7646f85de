//! [`Baggage`], as it is kept, changed and passed on.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use super::{
    grammar::{self, Member},
    member::BaggageMember,
    percent,
};

/// What the application itself sends along a trace: `key=value` pairs, such as a tenant.
///
/// Everybody downstream can read it and everybody upstream can have written it, so it is neither a
/// place for secrets nor for anything that decides access.
///
/// It is kept as the text that will be sent: a clone is one reference count, and a service that
/// only passes it on never decodes it. Duplicate keys are passed on in their order, as the standard
/// asks; [`get`](Self::get) answers with the last of them.
///
/// # Limits
///
/// 64 members and 8192 bytes, the least that the standard lets one pass on. Of what is received,
/// members that do not fit are dropped, and so are malformed ones; [`insert`](Self::insert) refuses.
///
/// ```
/// use msf_core::trace::Baggage;
///
/// let mut baggage = Baggage::parse("tenant=north%20sea;ttl=30, beta=1");
/// assert_eq!(baggage.get("tenant").as_deref(), Some("north sea"));
///
/// baggage.insert("cart", "blue, 2 pieces")?;
/// baggage.remove("beta");
/// assert_eq!(baggage.as_str(), "tenant=north%20sea;ttl=30,cart=blue%2C%202%20pieces");
/// # Ok::<(), msf_core::trace::InvalidBaggage>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Baggage(Option<Arc<str>>);

impl Baggage {
    /// Members, at most.
    pub const MAX_MEMBERS: usize = 64;
    /// Bytes of the whole, as it is sent, at most.
    pub const MAX_LEN: usize = 8192;

    /// Reads a `baggage` value, leaving out what is malformed or beyond the limits.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::parse_lines(std::iter::once(text.as_bytes()))
    }

    /// Reads several header lines as one list, in their order (RFC 9110 §5.3).
    pub(in crate::trace) fn parse_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut text = String::new();
        let mut count = 0;
        for line in lines {
            for member in line.split(|byte| *byte == b',').filter_map(Member::parse) {
                if count == Self::MAX_MEMBERS {
                    return Self::from_text(&text);
                }
                if text.is_empty() {
                    text.reserve(line.len().min(Self::MAX_LEN));
                }
                count += usize::from(push(&mut text, |text| member.write(text)));
            }
        }
        Self::from_text(&text)
    }

    /// The decoded value of a key. Percent escapes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let member = self.iter().filter(|member| member.key() == key).last()?;
        Some(member.value())
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = BaggageMember<'_>> {
        self.texts().map(BaggageMember::new)
    }

    /// Sets the value of a key, which is percent-encoded as needed. All earlier members of that key
    /// go, with their properties; the new one stands last.
    ///
    /// # Errors
    ///
    /// [`InvalidBaggage`] if the key is no HTTP token or a limit would be passed; nothing is changed then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), InvalidBaggage> {
        self.insert_with_properties(key, value, "")
    }

    /// Like [`insert`](Self::insert), with properties such as `ttl=30;private`.
    ///
    /// # Errors
    ///
    /// [`InvalidBaggage`] if the key is no HTTP token, the properties break the grammar, or a limit
    /// would be passed; nothing is changed then.
    pub fn insert_with_properties(
        &mut self,
        key: &str,
        value: &str,
        properties: &str,
    ) -> Result<(), InvalidBaggage> {
        if !grammar::is_token(key.as_bytes()) {
            return Err(InvalidBaggage::Key);
        }
        if !properties.is_empty() && !grammar::are_properties(properties.as_bytes()) {
            return Err(InvalidBaggage::Properties);
        }
        let (mut text, count) = self.without(key);
        if count == Self::MAX_MEMBERS {
            return Err(InvalidBaggage::TooManyMembers);
        }
        let fits = push(&mut text, |text| {
            text.push_str(key);
            text.push('=');
            percent::encode(value, text);
            grammar::write_properties(properties, text);
        });
        if !fits {
            return Err(InvalidBaggage::TooLong);
        }
        *self = Self::from_text(&text);
        Ok(())
    }

    /// Removes all members of a key; says whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        let known = self.iter().any(|member| member.key() == key);
        if known {
            *self = Self::from_text(&self.without(key).0);
        }
        known
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The list as it is sent, empty if there is no member.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    fn from_text(text: &str) -> Self {
        Self((!text.is_empty()).then(|| Arc::from(text)))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(',').filter(|text| !text.is_empty())
    }

    /// The text and number of the members of all other keys.
    fn without(&self, key: &str) -> (String, usize) {
        let mut text = String::with_capacity(self.as_str().len());
        let mut count = 0;
        for member in self.iter().filter(|member| member.key() != key) {
            count += usize::from(push(&mut text, |text| text.push_str(member.as_str())));
        }
        (text, count)
    }
}

impl FromStr for Baggage {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::parse(text))
    }
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Prints keys only: values are the application's and may be personal.
impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|member| member.key()))
            .finish()
    }
}

/// Why a member was not taken into a [`Baggage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaggage {
    /// The key is no token of RFC 9110 §5.6.2.
    #[error("a baggage key must be an HTTP token")]
    Key,
    /// The properties are not `key` or `key=value`, separated by `;`.
    #[error("malformed baggage properties")]
    Properties,
    /// There are 64 members already.
    #[error("too many members in the baggage")]
    TooManyMembers,
    /// The whole would be longer than 8192 bytes.
    #[error("baggage too long")]
    TooLong,
}

/// Appends a member unless the whole would pass the limit; says whether it did.
fn push(text: &mut String, write: impl FnOnce(&mut String)) -> bool {
    let before = text.len();
    if before > 0 {
        text.push(',');
    }
    write(text);
    let fits = text.len() <= Baggage::MAX_LEN;
    if !fits {
        text.truncate(before);
    }
    fits
}
