//! The text of a key: `msf_<environment>_<id>_<secret>`.

use std::fmt;

use aws_lc_rs::{digest, rand};
use msf_core::config::Secret;

/// The public part of a key, by which it is found, listed and revoked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId([u8; ID_CHARS]);

/// What a key that somebody sends says, when it has the form of one.
pub(crate) struct Presented<'a> {
    pub(crate) environment: &'a str,
    pub(crate) id: ApiKeyId,
    pub(crate) hash: [u8; 32],
}

const PREFIX: &str = "msf_";
/// 80 bits: two of a billion keys have the same id with a chance of one in a million.
const ID_CHARS: usize = 16;
/// 160 bits.
const SECRET_CHARS: usize = 32;
/// 35 bits of a checksum, so that a scanner takes nothing else for a key.
const CHECK_CHARS: usize = 7;
const ENVIRONMENT_CHARS_MAX: usize = 16;

/// The longest text of a key.
const KEY_CHARS_MAX: usize =
    PREFIX.len() + ENVIRONMENT_CHARS_MAX + 1 + ID_CHARS + 1 + SECRET_CHARS + CHECK_CHARS;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl ApiKeyId {
    /// The id that a text says, of 16 characters of `a-z2-7`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id: [u8; ID_CHARS] = text.as_bytes().try_into().ok()?;
        is_alphabet(&id).then_some(Self(id))
    }

    /// The id as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyId({self})")
    }
}

/// Whether the text says that it is a key of ours; whether it is one, [`parse`] knows.
pub(super) fn is_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The text, or none when it is too long for a key.
pub(super) const fn bounded(text: &str) -> &str {
    if text.len() > KEY_CHARS_MAX { "" } else { text }
}

pub(super) fn is_environment(text: &str) -> bool {
    (1..=ENVIRONMENT_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A new key, its id and its hash; `None` when the system has no randomness.
pub(super) fn generate(environment: &str) -> Option<(Secret<String>, ApiKeyId, [u8; 32])> {
    let mut random = [0; ID_CHARS + SECRET_CHARS];
    rand::fill(&mut random).ok()?;
    // Five bits of each byte: every character is as likely as every other.
    let chars = random.map(|byte| ALPHABET[usize::from(byte % 32)]);
    let (id, secret) = chars.split_first_chunk::<ID_CHARS>()?;
    let mut text = String::with_capacity(KEY_CHARS_MAX);
    text.push_str(PREFIX);
    text.push_str(environment);
    for part in [&id[..], secret] {
        text.push('_');
        text.push_str(str::from_utf8(part).ok()?);
    }
    let check = checksum(&text);
    text.push_str(str::from_utf8(&check).ok()?);
    let hash = hash(&text);
    Some((Secret::new(text), ApiKeyId(*id), hash))
}

/// Reads a key; `None` for everything that was never made here.
pub(crate) fn parse(text: &str) -> Option<Presented<'_>> {
    if text.len() > KEY_CHARS_MAX {
        return None;
    }
    let mut parts = text.strip_prefix(PREFIX)?.split('_');
    let (environment, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none()
        && is_environment(environment)
        && secret.len() == SECRET_CHARS + CHECK_CHARS
        && is_alphabet(secret.as_bytes());
    if !is_whole {
        return None;
    }
    let id = ApiKeyId::parse(id)?;
    let (said, check) = text.split_at(text.len() - CHECK_CHARS);
    // No secret: anybody can compute it.
    if check.as_bytes() != checksum(said) {
        return None;
    }
    Some(Presented {
        environment,
        id,
        hash: hash(text),
    })
}

fn is_alphabet(text: &[u8]) -> bool {
    text.iter().all(|byte| ALPHABET.contains(byte))
}

/// 35 bits of SHA-256.
fn checksum(text: &str) -> [u8; CHECK_CHARS] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut check = [0; CHECK_CHARS];
    for (char, byte) in check.iter_mut().zip(digest.as_ref()) {
        *char = ALPHABET[usize::from(byte % 32)];
    }
    check
}

/// What is stored. A plain hash is enough: 160 random bits cannot be guessed, however fast.
fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    let mut context = digest::Context::new(&digest::SHA256);
    // Not that of the checksum, of which 35 bits are public.
    context.update(b"msf api key\0");
    context.update(text.as_bytes());
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_says_what_it_was_made_with() {
        let (key, id, hash) = generate("live").unwrap();
        let key = key.expose();
        assert_eq!(key.len(), "msf_live_".len() + 16 + 1 + 39);
        let presented = parse(key).unwrap();
        assert_eq!((presented.environment, presented.id), ("live", id));
        assert_eq!(presented.hash, hash);
        assert_eq!(ApiKeyId::parse(id.as_str()), Some(id));
        assert_ne!(generate("live").unwrap().0.expose(), key);
    }

    #[test]
    fn each_changed_character_is_seen() {
        let (key, ..) = generate("live").unwrap();
        let key = key.expose();
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(parse(&changed).is_none(), "{at}");
        }
        for text in [
            "",
            "msf_",
            "msf___",
            "msf_live_",
            &key[1..],
            &key[..key.len() - 1],
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse(&format!("{key}a")).is_none());
        assert!(parse(&format!("{key}_")).is_none());
        assert!(parse(&key.to_uppercase()).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,90}", tail in "msf_[a-z_]{0,80}\\PC{0,3}") {
            prop_assert!(parse(&text).is_none());
            prop_assert!(parse(&tail).is_none());
        }
    }
}
