//! The signature algorithms that are taken.

use std::fmt;

/// A signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037 section 3.1).
///
/// The list is short on purpose: each entry is fast, has small tokens and is hard to use wrongly. There is
/// no value for `none`, so no configuration can allow it.
///
/// ```
/// use msf_auth::Algorithm;
///
/// assert_eq!(Algorithm::from_name("ES256"), Some(Algorithm::Es256));
/// assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
/// assert_eq!(Algorithm::from_name("none"), None);
/// assert_eq!(Algorithm::from_name("es256"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256; for one trust domain only, since who can verify can also sign.
    Hs256,
}

impl Algorithm {
    /// The name in the `alg` member.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of an `alg` member; names are case-sensitive.
    ///
    /// `Ed25519` is the name that RFC 9864 gives to the one curve which is taken under `EdDSA` here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "HS256" => Some(Self::Hs256),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
