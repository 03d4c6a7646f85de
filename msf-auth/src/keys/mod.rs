//! Keys that cannot be mistaken for one another.
//!
//! Each key is bound to one [`Algorithm`](crate::Algorithm) when it is made, and the algorithm of a token has to
//! equal that of its key, so no token can choose how its signature is checked. A shared secret ([`HmacKey`])
//! is a type of its own and is never read from a key set document.
//!
//! ```
//! use msf_auth::{KeySet, SigningKey};
//!
//! let key = SigningKey::generate_ed25519()?;
//! let published = KeySet::new([key.verifying_key()])?.to_json();
//!
//! let read = KeySet::parse(published.as_bytes())?;
//! assert!(read.contains(key.id()));
//! # Ok::<(), msf_core::BoxError>(())
//! ```

mod curve;
mod der;
mod error;
mod hmac;
mod id;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod jwk;
mod material;
mod mistaken;
mod rsa;
mod set;
mod signing;
mod spki;
#[cfg(test)]
mod tests;
mod verifying;

pub(crate) use self::id::is_key_id;
#[cfg(feature = "jsonwebtoken")]
pub use self::jsonwebtoken::UnknownAlgorithm;
pub use self::{
    error::{DuplicateKeyId, InvalidKey, InvalidKeySet, KeyFault, SignError, SkippedKey},
    hmac::HmacKey,
    set::{Key, KeySet},
    signing::SigningKey,
    verifying::VerifyingKey,
};
