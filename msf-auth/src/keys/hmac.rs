//! A shared secret.

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use msf_core::config::Secret;

use super::{InvalidKey, is_key_id, mistaken::is_key_document};
use crate::algorithm::Algorithm;

/// A shared secret for one of HS256, HS384 and HS512, prepared once. Cloning shares it.
///
/// Who can verify with it can also sign, so it is for one trust domain. It is a type of its own and never comes
/// from a key set, so no public key can be taken for a secret; a text or document that is a key, which a
/// configuration mixed up, is refused.
///
/// ```
/// use msf_auth::{HmacKey, InvalidKey};
/// use msf_core::config::Secret;
///
/// assert!(HmacKey::hs256("2026-11", &Secret::new(vec![7; 32])).is_ok());
/// let short = HmacKey::hs256("2026-11", &Secret::new(vec![7; 31]));
/// assert_eq!(short.unwrap_err(), InvalidKey::TooShort);
///
/// let pem = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA".to_vec();
/// let mixed_up = HmacKey::hs256("2026-11", &Secret::new(pem));
/// assert_eq!(mixed_up.unwrap_err(), InvalidKey::NotSecret);
/// ```
#[derive(Clone)]
pub struct HmacKey(Arc<Inner>);

struct Inner {
    id: Box<str>,
    algorithm: Algorithm,
    key: hmac::Key,
    signature_bytes: usize,
}

impl HmacKey {
    /// A secret for HS256 with an id.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::TooShort`] below 32 bytes, [`InvalidKey::NotSecret`] for what is a key in PEM, DER or JSON,
    /// [`InvalidKey::Id`] for an id that is none.
    pub fn hs256(id: &str, secret: &Secret<Vec<u8>>) -> Result<Self, InvalidKey> {
        Self::new(id, Algorithm::Hs256, hmac::HMAC_SHA256, secret)
    }

    /// A secret for HS384 with an id.
    ///
    /// # Errors
    ///
    /// As [`hs256`](Self::hs256), but below 48 bytes.
    pub fn hs384(id: &str, secret: &Secret<Vec<u8>>) -> Result<Self, InvalidKey> {
        Self::new(id, Algorithm::Hs384, hmac::HMAC_SHA384, secret)
    }

    /// A secret for HS512 with an id.
    ///
    /// # Errors
    ///
    /// As [`hs256`](Self::hs256), but below 64 bytes.
    pub fn hs512(id: &str, secret: &Secret<Vec<u8>>) -> Result<Self, InvalidKey> {
        Self::new(id, Algorithm::Hs512, hmac::HMAC_SHA512, secret)
    }

    fn new(
        id: &str,
        algorithm: Algorithm,
        hash: hmac::Algorithm,
        secret: &Secret<Vec<u8>>,
    ) -> Result<Self, InvalidKey> {
        let secret = secret.expose();
        // RFC 7518 section 3.2: not below the length of the hash.
        let signature_bytes = hash.digest_algorithm().output_len();
        if secret.len() < signature_bytes {
            return Err(InvalidKey::TooShort);
        }
        if is_key_document(secret) {
            return Err(InvalidKey::NotSecret);
        }
        if !is_key_id(id) {
            return Err(InvalidKey::Id);
        }
        Ok(Self(Arc::new(Inner {
            id: id.into(),
            algorithm,
            key: hmac::Key::new(hash, secret),
            signature_bytes,
        })))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.0.signature_bytes
            && hmac::verify(&self.0.key, message, signature).is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("id", &self.0.id)
            .field("algorithm", &self.0.algorithm)
            .finish_non_exhaustive()
    }
}
