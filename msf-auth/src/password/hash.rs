//! A hash as it is stored.

use std::fmt;

/// A hashed password, as a text to be stored: a PHC string, or what an older system left.
///
/// Whoever reads it can guess at the password without asking anybody, so its `Debug` does not show it.
///
/// ```
/// use msf_auth::password::PasswordHash;
///
/// let hash = PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA");
/// assert!(hash.as_str().starts_with("$argon2id$"));
/// assert_eq!(format!("{hash:?}"), "PasswordHash([redacted])");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// A hash that was stored. Whether it is one shows when a password is compared with it.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text to be stored.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHash {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0.into()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}
