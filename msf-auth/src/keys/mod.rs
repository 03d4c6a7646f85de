//! Keys that cannot be mistaken for one another.
//!
//! Each key is bound to one [`Algorithm`](crate::Algorithm) when it is made, and the algorithm of a token has to
//! equal that of its key, so no token can choose how its signature is checked. A shared secret ([`HmacKey`])
//! is a type of its own and is never read from a key set document.
//!
//! Whatever a key comes from, it is checked when it is read: that its numbers are in range and on their curve, that an
//! RSA modulus has 2048 to 8192 bits, and that it is none for which anybody can sign. A key of a document that
//! fails is [skipped](SkippedKey), and the others stay in use.
//!
//! # Which algorithm
//!
//! | algorithm | for |
//! |---|---|
//! | EdDSA, ES256 | what [`TokenIssuer`](crate::TokenIssuer) signs with: small tokens, quick to sign |
//! | RS256, PS256 | what most providers sign with; of those with a public key the quickest to verify |
//! | ES384, ES512, RS384 and up, PS384 and up | where a rule asks for them; ES384 and ES512 are slow |
//! | HS256 and up | the quickest of all; only where everybody who verifies may also sign |
//!
//! An RSA key could be used by six algorithms. In a document it is for the one that its `alg` names, and
//! without one for RS256 or what the reader [says](KeySet::parse_assuming).
//!
//! # Example
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
