//! Keys by id.

use std::sync::Arc;

use serde::de::Error as _;
use serde_json::{Value, json};

use super::{
    DuplicateKeyId, HmacKey, InvalidKeySet, KeyFault, SkippedKey, VerifyingKey, is_key_id, jwk,
};
use crate::{algorithm::Algorithm, token::json::Strict};

/// The keys that an issuer signs with, by id. Cloning shares them.
///
/// ```
/// use msf_auth::{KeyFault, KeySet};
///
/// let document = br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"oct","kid":"b","k":"c2VjcmV0"}
/// ]}"#;
/// let keys = KeySet::parse(document)?;
/// assert!(keys.contains("a") && !keys.contains("b"));
/// assert_eq!(keys.skipped()[0].fault, KeyFault::Symmetric);
/// # Ok::<(), msf_auth::InvalidKeySet>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeySet(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
}

/// A key that checks signatures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Key {
    /// A public key.
    Public(VerifyingKey),
    /// A shared secret.
    Hmac(HmacKey),
}

/// Larger documents are refused; a key has about 200 bytes.
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Documents with more keys are refused; issuers publish two or three.
const KEYS_MAX: usize = 128;

impl KeySet {
    /// A set of keys that are known.
    ///
    /// # Errors
    ///
    /// [`DuplicateKeyId`]: which of two keys with one id is meant cannot be known.
    pub fn new(keys: impl IntoIterator<Item = impl Into<Key>>) -> Result<Self, DuplicateKeyId> {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.id() == key.id()) {
                return Err(DuplicateKeyId {
                    id: key.id().into(),
                });
            }
        }
        Ok(Self(Arc::new(Inner {
            keys,
            skipped: Vec::new(),
        })))
    }

    /// Reads a JWK set (RFC 7517 section 5); keys that cannot be used are [skipped](Self::skipped).
    ///
    /// Taken are public keys for signatures of type OKP on Ed25519, EC on P-256, P-384 and P-521, and RSA with
    /// 2048 to 8192 bits. Keys that share an id are all skipped. An RSA key without `alg` is for RS256, see
    /// [`parse_assuming`](Self::parse_assuming).
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] for a document that is no key set, above 512 KiB or above 128 keys.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidKeySet> {
        Self::parse_assuming(document, Algorithm::Rs256)
    }

    /// As [`parse`](Self::parse), but an RSA key without `alg` is for the algorithm `rsa`: every key is for one
    /// algorithm, and what the document leaves open the reader has to decide, not the token.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); [`InvalidKeySet::NotRsa`] for an algorithm that is none of RSA.
    ///
    /// ```
    /// use msf_auth::{Algorithm, KeySet};
    ///
    /// let keys = KeySet::parse_assuming(br#"{"keys":[]}"#, Algorithm::Ps256)?;
    /// assert!(keys.is_empty());
    /// assert!(KeySet::parse_assuming(br#"{"keys":[]}"#, Algorithm::Hs256).is_err());
    /// # Ok::<(), msf_auth::InvalidKeySet>(())
    /// ```
    pub fn parse_assuming(document: &[u8], rsa: Algorithm) -> Result<Self, InvalidKeySet> {
        if !rsa.is_rsa() {
            return Err(InvalidKeySet::NotRsa(rsa));
        }
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(InvalidKeySet::TooLarge);
        }
        let Strict(mut value) = serde_json::from_slice(document).map_err(InvalidKeySet::Json)?;
        let Some(Value::Array(keys)) = value.get_mut("keys").map(Value::take) else {
            // Not what serde would say, which tells what is there instead: a secret, if somebody mixed up two files.
            let error = serde_json::Error::custom("there is no array `keys`");
            return Err(InvalidKeySet::Json(error));
        };
        if keys.len() > KEYS_MAX {
            return Err(InvalidKeySet::TooManyKeys);
        }
        let mut inner = Inner::default();
        for value in &keys {
            match jwk::parse(value, rsa) {
                Ok(key) => inner.keys.push(Key::Public(key)),
                Err(fault) => {
                    let id = value.get("kid").and_then(|id| id.as_str());
                    let id = id.filter(|id| is_key_id(id)).map(Into::into);
                    inner.skipped.push(SkippedKey { id, fault });
                }
            }
        }
        inner.skip_duplicates();
        Ok(Self(Arc::new(inner)))
    }

    /// The public keys as a JWK set; shared secrets are never written.
    #[must_use]
    pub fn to_json(&self) -> String {
        let keys: Vec<_> = self
            .0
            .keys
            .iter()
            .filter_map(|key| match key {
                Key::Public(key) => Some(key.to_jwk()),
                Key::Hmac(_) => None,
            })
            .collect();
        json!({ "keys": keys }).to_string()
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// Whether there is a key of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    /// The ids, in the order of the document.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys.iter().map(Key::id)
    }

    /// The keys of the document that are not used.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.0.skipped
    }

    /// The key of an id; without an id the only key there is.
    pub(crate) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.keys.as_slice()) {
            (Some(id), _) => self.key(id),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    fn key(&self, id: &str) -> Option<&Key> {
        // A scan: sets are small, and comparing a few short strings costs less than hashing one.
        self.0.keys.iter().find(|key| key.id() == id)
    }
}

impl Inner {
    fn skip_duplicates(&mut self) {
        let ids: Vec<Box<str>> = self.keys.iter().map(|key| key.id().into()).collect();
        let is_repeated = |id: &str| ids.iter().filter(|other| &***other == id).count() > 1;
        for id in ids.iter().filter(|id| is_repeated(id)) {
            self.skipped.push(SkippedKey {
                id: Some(id.clone()),
                fault: KeyFault::Duplicate,
            });
        }
        self.keys.retain(|key| !is_repeated(key.id()));
    }
}

impl Key {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Public(key) => key.id(),
            Self::Hmac(key) => key.id(),
        }
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Public(key) => key.algorithm(),
            Self::Hmac(key) => key.algorithm(),
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify(message, signature),
            Self::Hmac(key) => key.verify(message, signature),
        }
    }
}

impl From<VerifyingKey> for Key {
    fn from(key: VerifyingKey) -> Self {
        Self::Public(key)
    }
}

impl From<HmacKey> for Key {
    fn from(key: HmacKey) -> Self {
        Self::Hmac(key)
    }
}
