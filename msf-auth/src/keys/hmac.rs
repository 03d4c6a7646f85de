//! A shared secret.

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use msf_core::config::Secret;

use super::{InvalidKey, is_key_id};

/// A shared secret for HS256, prepared once. Cloning shares it.
///
/// Who can verify with it can also sign, so it is for one trust domain.
///
/// ```
/// use msf_auth::{HmacKey, InvalidKey};
/// use msf_core::config::Secret;
///
/// assert!(HmacKey::new("2026-11", &Secret::new(vec![7; 32])).is_ok());
/// let short = HmacKey::new("2026-11", &Secret::new(vec![7; 31]));
/// assert_eq!(short.unwrap_err(), InvalidKey::TooShort);
/// ```
#[derive(Clone)]
pub struct HmacKey(Arc<Inner>);

struct Inner {
    id: Box<str>,
    key: hmac::Key,
}

impl HmacKey {
    /// A key with an id.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] below 32 bytes, or for an id that is none.
    pub fn new(id: &str, secret: &Secret<Vec<u8>>) -> Result<Self, InvalidKey> {
        if secret.expose().len() < SECRET_BYTES_MIN {
            return Err(InvalidKey::TooShort);
        }
        if !is_key_id(id) {
            return Err(InvalidKey::Id);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self(Arc::new(Inner { id: id.into(), key })))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Compares in constant time.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0.key, message, signature).is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

/// RFC 7518 section 3.2: not below the length of the hash.
const SECRET_BYTES_MIN: usize = 32;
