//! [`BaggageMember`], one key with its value and properties.

use std::{borrow::Cow, fmt};

use super::percent;

/// One member of a [`Baggage`](super::Baggage).
///
/// ```
/// use msf_core::trace::Baggage;
///
/// let baggage = Baggage::parse("tenant=north%20sea;ttl=30;private");
/// let member = baggage.iter().next().expect("there is one");
/// assert_eq!((member.key(), &*member.value()), ("tenant", "north sea"));
/// assert_eq!(member.properties(), "ttl=30;private");
/// ```
#[derive(Clone, Copy)]
pub struct BaggageMember<'a> {
    /// In wire form, without optional white space.
    text: &'a str,
}

impl<'a> BaggageMember<'a> {
    /// `text` is well-formed and without optional white space.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    pub(super) fn as_str(&self) -> &'a str {
        self.text
    }

    /// The key, an HTTP token.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.parts().0
    }

    /// The value, decoded. Percent escapes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        percent::decode(self.parts().1)
    }

    /// The properties as they are sent, separated by `;`, empty if there are none.
    #[must_use]
    pub fn properties(&self) -> &'a str {
        self.parts().2
    }

    fn parts(&self) -> (&'a str, &'a str, &'a str) {
        let (head, properties) = self.text.split_once(';').unwrap_or((self.text, ""));
        let (key, value) = head.split_once('=').unwrap_or((head, ""));
        (key, value, properties)
    }
}

impl fmt::Debug for BaggageMember<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaggageMember")
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
