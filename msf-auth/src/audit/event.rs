//! One event.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Kind;

/// Something that happened, with the names of those concerned.
///
/// Values that come from outside, such as the subject of a token that was refused, are cut after 256 bytes. They are
/// not escaped: whoever prints them does that, as JSON and the `Debug` of strings do.
///
/// ```
/// use msf_auth::audit::{Event, Kind};
///
/// let event = Event::new(Kind::KeyRetired).issuer("https://user.shop").key_id("2026-11");
/// assert_eq!(
///     serde_json::to_string(&event)?,
///     r#"{"event":"key_retired","issuer":"https://user.shop","key_id":"2026-11"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an event that is not recorded did not happen"]
pub struct Event<'a> {
    kind: Kind,
    fields: [Option<&'a str>; FIELDS.len()],
}

const FIELDS: [&str; 9] = [
    "subject", "issuer", "client", "session", "key_id", "token_id", "network", "reason", "request",
];

/// No name of ours is longer, and a log line stays a line.
const VALUE_BYTES_MAX: usize = 256;

macro_rules! setters {
    ($($(#[doc = $doc:literal])+ $name:ident = $index:literal;)+) => {
        $(
            $(#[doc = $doc])+
            pub fn $name(mut self, value: &'a str) -> Self {
                self.fields[$index] = Some(cut(value));
                self
            }
        )+
    };
}

impl<'a> Event<'a> {
    /// An event of a kind.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            fields: [None; FIELDS.len()],
        }
    }

    setters! {
        /// Whom it concerns: a user, a service or an account.
        subject = 0;
        /// The issuer of the token or of the key.
        issuer = 1;
        /// The OAuth client, or the id of the API key.
        client = 2;
        /// The session.
        session = 3;
        /// The id of the signing key.
        key_id = 4;
        /// The id of the token (`jti`).
        token_id = 5;
        /// Where the caller comes from: an address or a prefix.
        network = 6;
        /// Why, in a word or a few; never with a secret in it.
        reason = 7;
        /// The id of the request.
        request = 8;
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields that are there, in the order of the setters.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'a str)> + '_ {
        let named = FIELDS.into_iter().zip(self.fields);
        named.filter_map(|(name, value)| Some((name, value?)))
    }

    /// The value of a field, by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a str> {
        let mut fields = self.fields();
        fields.find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

fn cut(value: &str) -> &str {
    let mut ends = (0..=VALUE_BYTES_MAX.min(value.len())).rev();
    // Zero is a boundary of any text.
    let end = ends.find(|at| value.is_char_boundary(*at));
    &value[..end.unwrap_or(0)]
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", self.kind.as_str())?;
        for (name, value) in self.fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
