//! Keyed hashes, for what must not be kept.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
};

use siphasher::sip128::SipHasher24;

/// The key of a hash. Its `Debug` says nothing about it.
///
/// SipHash-2-4 with 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) is a pseudo-random
/// function: without the key, neither can a hash be turned back nor a guess be tried.
///
/// ```
/// use msf_resilience::rate_limit::key::HashKey;
///
/// let key = HashKey::from_secret(b"32 random bytes from the secrets")?;
/// assert_eq!(key.hash(b"s3cret"), key.hash(b"s3cret"));
/// assert_ne!(key.hash(b"s3cret"), HashKey::random().hash(b"s3cret"));
/// assert_eq!(format!("{key:?}"), "HashKey(..)");
/// # Ok::<(), msf_resilience::rate_limit::key::InvalidHashKey>(())
/// ```
#[derive(Clone, Copy)]
pub struct HashKey(SipHasher24);

/// What is left of a secret: 128 bits that only the owner of the [`HashKey`] could have made.
///
/// It is shown in 32 hexadecimal digits.
///
/// ```
/// use msf_resilience::rate_limit::key::HashKey;
///
/// let digest = HashKey::random().hash(b"s3cret");
/// assert_eq!(digest.to_string().len(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

/// A secret that is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a hash key must have at least 16 bytes, not {0}")]
#[non_exhaustive]
pub struct InvalidHashKey(pub usize);

impl HashKey {
    /// A key of this process alone, from the operating system's random numbers.
    ///
    /// For limits in memory. Instances that share limits must share a secret: [`from_secret`](Self::from_secret).
    #[must_use]
    pub fn random() -> Self {
        let random = RandomState::new();
        Self(SipHasher24::new_with_keys(
            random.hash_one(0_u8),
            random.hash_one(1_u8),
        ))
    }

    /// A key that every instance with this secret has.
    ///
    /// The secret is random bytes, not a password: nothing here slows guessing down.
    ///
    /// # Errors
    ///
    /// [`InvalidHashKey`] if there are fewer than 16 bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, InvalidHashKey> {
        if secret.len() < SECRET_LEN_MIN {
            return Err(InvalidHashKey(secret.len()));
        }
        Ok(Self(SipHasher24::new_with_key(&unkeyed(secret).0)))
    }

    /// The hash of these bytes.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> Digest {
        Digest(self.0.hash(bytes).as_bytes())
    }
}

/// The same in every process, for what is no secret.
pub(in crate::rate_limit) fn unkeyed(bytes: &[u8]) -> Digest {
    Digest(SipHasher24::new().hash(bytes).as_bytes())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of precision, so many digits: `{:.8}` is a short name.
        let digits = f.precision().unwrap_or(DIGITS).min(DIGITS);
        let bits = u32::try_from(4 * (DIGITS - digits)).unwrap_or(0);
        let number = u128::from_be_bytes(self.0).checked_shr(bits).unwrap_or(0);
        write!(f, "{number:0digits$x}")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}

const SECRET_LEN_MIN: usize = 16;
const DIGITS: usize = 32;
