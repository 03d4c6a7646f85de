//! What can be wrong with keys.

use thiserror::Error;

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// A shared secret below 32 bytes; RFC 7518 section 3.2 asks for the length of the hash.
    #[error("a shared secret must have at least 32 bytes")]
    TooShort,
    /// The id is empty, above 256 characters, or not printable ASCII.
    #[error("a key id must be 1 to 256 printable ASCII characters")]
    Id,
    /// The bytes are no key of this algorithm: wrong length, not on the curve, or not PKCS#8.
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
