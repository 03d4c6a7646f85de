//! Why a key file or a token is not what it should be.

use std::{io, path::PathBuf};

use thiserror::Error;

use super::KeyRingError;
use crate::keys::{InvalidKey, SignError};

/// The key of an issuer cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file or its directory cannot be read or written.
    #[error("the key file {} cannot be {action}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `read` or `created`.
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner may read the file, so the key may be known to them.
    #[error("the key file {} can be read by others (mode {mode:o}): replace the key, or set its mode to 600 if nobody has read it", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not one PKCS#8 key in PEM; it is not replaced, since that would end every token in use.
    #[error("the key file {} holds no usable key: restore it, or remove it to start with a new key", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// A new key could not be made.
    #[error("a key could not be generated")]
    Generate(#[source] InvalidKey),
    /// The directory has a [ring](super::KeyRing), and that cannot be had.
    #[error(transparent)]
    Ring(Box<KeyRingError>),
}

/// A token was not issued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// What was asked for would not be accepted anywhere.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The signature could not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A token that would not be accepted anywhere.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The subject is empty.
    #[error("a token needs a subject")]
    Subject,
    /// There is no audience, or an empty one.
    #[error("a token needs an audience")]
    Audience,
    /// A scope is empty or has characters that RFC 6749 section 3.3 does not allow.
    #[error("`{0}` is not a scope")]
    Scope(Box<str>),
    /// The life is below one second, or above 24 h or what the [ring](super::RotationPolicy::token_ttl_max) allows.
    #[error("a token lives between 1 s and 24 h, and not longer than its key is kept")]
    Lifetime,
    /// The claim is one that the issuer sets itself.
    #[error("the claim `{0}` is set by the issuer")]
    Claim(Box<str>),
}
