//! The row of one session.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{
    Grant, RefreshPolicy,
    policy::millis,
    text::{Hash, equal},
};
use crate::token::base64url;

/// The name of a family: 128 random bits, which its tokens carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId([u8; 16]);

impl FamilyId {
    /// The name of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FamilyId({})", base64url::encode(self.0))
    }
}

/// The tokens that descend from one login, as a [`RefreshStore`](super::RefreshStore) keeps them: one row.
///
/// It has hashes and no token. A store keeps it as [`encode`](Self::encode) and looks at nothing but the accessors.
#[derive(Clone, PartialEq, Eq)]
pub struct Family {
    pub(super) id: FamilyId,
    pub(super) version: u64,
    pub(super) grant: Grant,
    pub(super) tag_key: Bytes32,
    /// Of the token that is valid now.
    pub(super) generation: u32,
    pub(super) current: Bytes32,
    pub(super) previous: Option<Previous>,
    pub(super) issued_ms: u64,
    /// When the current token was made.
    pub(super) used_ms: u64,
    /// When the last token ends, however often it is rotated.
    pub(super) absolute_ms: u64,
    /// When the row is of no use any more.
    pub(super) ends_ms: u64,
    pub(super) is_revoked: bool,
}

/// How a row is written. Not a property of [`Family`]: a list of sessions that is sent to a browser must not have
/// hashes and keys in it by accident.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Family", rename = "Family", deny_unknown_fields)]
struct Row {
    id: FamilyId,
    version: u64,
    grant: Grant,
    tag_key: Bytes32,
    generation: u32,
    current: Bytes32,
    previous: Option<Previous>,
    issued_ms: u64,
    used_ms: u64,
    absolute_ms: u64,
    ends_ms: u64,
    is_revoked: bool,
}

/// The token before the current one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    pub(super) hash: Bytes32,
    pub(super) rotated_ms: u64,
    /// The end of the grace.
    pub(super) until_ms: u64,
    /// The current token, sealed for the holder of this one; `None` after the grace.
    pub(super) successor: Option<Sealed>,
}

/// Rows that nobody understands.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the row of a refresh token cannot be read")]
#[non_exhaustive]
pub struct InvalidFamily;

impl Family {
    /// A family whose first token has this hash.
    pub(super) fn new(
        id: FamilyId,
        grant: Grant,
        tag_key: Hash,
        first: Hash,
        policy: &RefreshPolicy,
        now_ms: u64,
    ) -> Self {
        let absolute_ms = now_ms.saturating_add(millis(policy.absolute));
        Self {
            id,
            version: 1,
            grant,
            tag_key: Bytes32(tag_key),
            generation: FIRST_GENERATION,
            current: Bytes32(first),
            previous: None,
            issued_ms: now_ms,
            used_ms: now_ms,
            absolute_ms,
            ends_ms: absolute_ms.min(now_ms.saturating_add(millis(policy.idle))),
            is_revoked: false,
        }
    }

    /// The name.
    #[must_use]
    pub const fn id(&self) -> FamilyId {
        self.id
    }

    /// Grows by one with each change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What the login granted.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Whose it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.grant.subject()
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn session(&self) -> &str {
        self.grant.session_id()
    }

    /// Whether it has ended for good.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.is_revoked
    }

    /// When it began, in milliseconds since 1970.
    #[must_use]
    pub const fn issued_ms(&self) -> u64 {
        self.issued_ms
    }

    /// When it was last rotated.
    #[must_use]
    pub const fn used_ms(&self) -> u64 {
        self.used_ms
    }

    /// When its tokens end if none is used.
    #[must_use]
    pub const fn ends_ms(&self) -> u64 {
        self.ends_ms
    }

    /// When it needs a look: something in it has to be wiped, or it can be removed.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        let sealed = |previous: &Previous| previous.successor.as_ref().map(|_| previous.until_ms);
        let wipe_ms = self.previous.as_ref().and_then(sealed);
        wipe_ms.map_or(self.ends_ms, |wipe_ms| wipe_ms.min(self.ends_ms))
    }

    /// The row as a store keeps it, at most 32 KiB: text, with hashes and no token.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(1024);
        match Row::serialize(self, &mut serde_json::Serializer::new(&mut row)) {
            Ok(()) => row,
            // Maps have text keys and memory takes every byte. If not, it is a row that nobody can read.
            Err(_) => Vec::new(),
        }
    }

    /// The row again.
    ///
    /// # Errors
    ///
    /// [`InvalidFamily`] for what [`encode`](Self::encode) does not give.
    pub fn decode(row: &[u8]) -> Result<Self, InvalidFamily> {
        let mut reader = serde_json::Deserializer::from_slice(row);
        let family = Row::deserialize(&mut reader).map_err(|_| InvalidFamily)?;
        reader.end().map_err(|_| InvalidFamily)?;
        let is_sound = family.version >= 1
            && family.generation >= FIRST_GENERATION
            && family.issued_ms <= family.used_ms
            && family.grant.check().is_ok();
        is_sound.then_some(family).ok_or(InvalidFamily)
    }
}

pub(super) const FIRST_GENERATION: u32 = 1;

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("grant", &self.grant)
            .field("generation", &self.generation)
            .field("issued_ms", &self.issued_ms)
            .field("used_ms", &self.used_ms)
            .field("ends_ms", &self.ends_ms)
            .field("is_revoked", &self.is_revoked)
            .finish_non_exhaustive()
    }
}

/// A hash or a key: compared in constant time, never printed.
#[derive(Clone)]
pub(super) struct Bytes32(pub(super) Hash);

impl PartialEq for Bytes32 {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for Bytes32 {}

/// Ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sealed(pub(super) Box<[u8]>);

macro_rules! as_base64url {
    ($($type:ty: $value:ident => $bytes:expr, $from:expr;)+) => {
        $(
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let $value = self;
                    serializer.serialize_str(&base64url::encode($bytes))
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    let bytes = base64url::decode(&text).and_then($from);
                    bytes.ok_or_else(|| de::Error::custom("not the bytes that were expected"))
                }
            }
        )+
    };
}

as_base64url! {
    FamilyId: id => id.0, |bytes| bytes.try_into().ok().map(Self);
    Bytes32: hash => hash.0, |bytes| bytes.try_into().ok().map(Self);
    Sealed: sealed => &sealed.0, |bytes| Some(Self(bytes.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> Family {
        let grant = Grant::new("7").session("s").scopes(["a"]).claim("n", 1);
        let policy = RefreshPolicy::default();
        let mut family = Family::new(FamilyId([1; 16]), grant, [2; 32], [3; 32], &policy, 5);
        family.previous = Some(Previous {
            hash: Bytes32([4; 32]),
            rotated_ms: 5,
            until_ms: 6,
            successor: Some(Sealed([9; 40].into())),
        });
        family
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        let family = family();
        assert!(Family::decode(&family.encode()).unwrap() == family);
        assert_eq!(family.due_ms(), 6);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let row = String::from_utf8(family().encode()).unwrap();
        for (from, to) in [
            ("\"version\":1", "\"version\":0"),
            ("\"generation\":1", "\"generation\":-1"),
            ("\"subject\":\"7\"", "\"subject\":\"\""),
            ("\"used_ms\":5", "\"used_ms\":4"),
            ("\"is_revoked\":false", "\"is_revoked\":false,\"x\":1"),
            ("\"is_revoked\":false", "\"is_revoked\":0"),
            ("AgIC", "AgI"),
        ] {
            assert!(row.contains(from), "{from} in {row}");
            let wrong = row.replacen(from, to, 1);
            assert!(Family::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
        for len in 0..row.len() {
            assert!(Family::decode(&row.as_bytes()[..len]).is_err());
        }
        assert!(Family::decode(format!("{row}{row}").as_bytes()).is_err());
    }

    #[test]
    fn nothing_of_a_row_is_printed_that_helps_anybody() {
        let text = format!("{:?}", family());
        for hidden in ["tag_key", "current", "previous", "2, 2", "AgIC", "AwMD"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}
