//! What can be wrong with keys.

use thiserror::Error;

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// A shared secret with fewer bytes than its hash has: 32, 48 or 64 (RFC 7518 section 3.2).
    #[error("a shared secret must have as many bytes as its hash")]
    TooShort,
    /// A key in PEM, DER or JSON was given as a shared secret.
    #[error("a key document is no shared secret")]
    NotSecret,
    /// A private key was given where a public one belongs.
    #[error("a private key is no public key")]
    Private,
    /// The algorithm does not go with the key.
    #[error("the algorithm does not go with the key")]
    Algorithm,
    /// An RSA modulus is even, has a leading zero, or has less than 2048 or more than 8192 bits.
    #[error("an RSA modulus must be odd and have 2048 to 8192 bits")]
    Modulus,
    /// An RSA exponent is even, has a leading zero, is 1, or has more than 33 bits.
    #[error("an RSA exponent must be odd, at least 3 and below 2^33")]
    Exponent,
    /// Anybody can sign for it: an RSA modulus of the generator of CVE-2017-15361, or a point of small order.
    #[error("the key is one for which anybody can sign")]
    Weak,
    /// The id is empty, above 256 characters, or not printable ASCII.
    #[error("a key id must be 1 to 256 printable ASCII characters")]
    Id,
    /// The bytes are no key of this algorithm: wrong length, not on the curve, or no such document.
    #[error("the bytes are no key of this algorithm")]
    Rejected,
    /// The system has no randomness.
    #[error("the key could not be generated")]
    Generation,
}

/// Two keys have one id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("two keys have the id `{id}`")]
#[non_exhaustive]
pub struct DuplicateKeyId {
    /// The id.
    pub id: Box<str>,
}

/// A document that is no key set at all. A single bad key is only [skipped](SkippedKey).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidKeySet {
    /// It is above 512 KiB.
    #[error("the key set is above 512 KiB")]
    TooLarge,
    /// It is not a JSON object with an array `keys`, or has a member twice.
    #[error("the key set is not a JWK set")]
    Json(#[source] serde_json::Error),
    /// The algorithm that RSA keys without `alg` were to get is none of RSA.
    #[error("`{0}` is no algorithm of RSA")]
    NotRsa(crate::Algorithm),
    /// It has more than 128 keys.
    #[error("the key set has more than 128 keys")]
    TooManyKeys,
}

/// A key of a document that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its id, if it has a readable one.
    pub id: Option<Box<str>>,
    /// What is wrong with it.
    pub fault: KeyFault,
}

/// Why a key of a document is not used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// A member is missing or has the wrong type.
    #[error("malformed")]
    Malformed,
    /// A key type or curve that is not taken.
    #[error("unsupported type or curve")]
    Unsupported,
    /// A shared secret, which nobody may publish.
    #[error("a shared secret")]
    Symmetric,
    /// Its private part is published, so anybody can sign with it.
    #[error("the private part is published")]
    Private,
    /// `use` or `key_ops` say that it is for something else.
    #[error("not for signatures")]
    Use,
    /// `alg` does not go with the type of the key.
    #[error("the algorithm does not go with the key")]
    Algorithm,
    /// A coordinate has the wrong length, or the point is not on the curve.
    #[error("not a point of the curve")]
    Point,
    /// An RSA modulus is even, has a leading zero, or has less than 2048 or more than 8192 bits.
    #[error("a modulus that is not taken")]
    Modulus,
    /// An RSA exponent is even, has a leading zero, is 1, or has more than 33 bits.
    #[error("an exponent that is not taken")]
    Exponent,
    /// Anybody can sign for it: an RSA modulus of the generator of CVE-2017-15361, or a point of small order.
    #[error("a weak key")]
    Weak,
    /// The id is too long or not printable ASCII.
    #[error("an unusable id")]
    Id,
    /// Another key has the same id; none of them is used.
    #[error("the id is not unique")]
    Duplicate,
}

/// Signing failed; the system has no randomness or the key is broken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the signature could not be made")]
#[non_exhaustive]
pub struct SignError;
