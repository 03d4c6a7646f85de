//! A secret that is not in the database.

use std::fmt;

use argon2::KeyId;
use msf_core::config::Secret;
use thiserror::Error;

/// A key that goes into every hash and is kept apart from them, so that who steals the database alone cannot guess at
/// passwords.
///
/// It is argon2's own secret input (RFC 9106 section 3.1), and its id is written into each hash (`keyid`), so that it can
/// be changed: hashes of a [former](super::PasswordsBuilder::former_pepper) one are made anew at the next login. A
/// pepper that is lost is every password lost.
///
/// ```
/// use msf_auth::password::{Passwords, Pepper};
/// use msf_core::config::Secret;
///
/// # fn main() -> Result<(), msf_core::BoxError> {
/// # let read_from_the_secret_store = || Secret::new(vec![7; 32]);
/// let pepper = Pepper::new("2026", read_from_the_secret_store())?;
/// let passwords = Passwords::builder().pepper(pepper).build()?;
/// assert!(Pepper::new("2026", Secret::new(b"short".to_vec())).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pepper {
    id: KeyId,
    key: Secret<Vec<u8>>,
}

/// A pepper that cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPepper {
    /// The id does not fit into a hash.
    #[error("the id of a pepper has 1 to 8 ASCII letters or digits")]
    Id,
    /// The key is too short to be random, or so long that it was meant as something else.
    #[error("a pepper has 32 to 128 bytes")]
    Key,
}

impl Pepper {
    /// A pepper: 32 to 128 random bytes, by an id of 1 to 8 letters or digits.
    ///
    /// # Errors
    ///
    /// [`InvalidPepper`].
    pub fn new(id: &str, key: Secret<Vec<u8>>) -> Result<Self, InvalidPepper> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(InvalidPepper::Id);
        }
        if !(32..=128).contains(&key.expose().len()) {
            return Err(InvalidPepper::Key);
        }
        let id = KeyId::new(id.as_bytes()).map_err(|_| InvalidPepper::Id)?;
        Ok(Self { id, key })
    }

    pub(super) const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn is(&self, id: &[u8]) -> bool {
        self.id.as_bytes() == id
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.expose()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper")
            .field("id", &String::from_utf8_lossy(self.id.as_bytes()))
            .finish_non_exhaustive()
    }
}
