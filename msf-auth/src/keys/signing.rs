//! The private half of a key.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, Signature,
    },
};
use msf_core::config::Secret;

use super::{InvalidKey, SignError, VerifyingKey};
use crate::algorithm::Algorithm;

/// A private key with its id and its one algorithm. Cloning shares it; nothing prints it.
///
/// ```
/// use msf_auth::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate_es256()?;
/// assert_eq!(key.algorithm(), Algorithm::Es256);
///
/// let stored = key.to_pkcs8()?;
/// assert_eq!(SigningKey::from_pkcs8(&stored)?.id(), key.id());
/// # Ok::<(), msf_auth::InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl SigningKey {
    /// A new Ed25519 key; its id is its thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Generation`] when the system has no randomness.
    pub fn generate_ed25519() -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| InvalidKey::Generation)?;
        Self::new(Pair::Ed25519(pair))
    }

    /// A new P-256 key; its id is its thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Generation`] when the system has no randomness.
    pub fn generate_es256() -> Result<Self, InvalidKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| InvalidKey::Generation)?;
        Self::new(Pair::Es256(pair))
    }

    /// A key from PKCS#8 in DER (RFC 5958), Ed25519 or P-256.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for anything else.
    pub fn from_pkcs8(der: &Secret<Vec<u8>>) -> Result<Self, InvalidKey> {
        let der = der.expose();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Self::new(Pair::Ed25519(pair));
        }
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| InvalidKey::Rejected)?;
        Self::new(Pair::Es256(pair))
    }

    fn new(pair: Pair) -> Result<Self, InvalidKey> {
        let public = match &pair {
            Pair::Ed25519(pair) => VerifyingKey::ed25519(pair.public_key().as_ref())?,
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..65).ok_or(InvalidKey::Rejected)?.split_at(32);
                VerifyingKey::es256(x, y)?
            }
        };
        Ok(Self(Arc::new(Inner { pair, public })))
    }

    /// PKCS#8 in DER, to be kept where nobody else reads it.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] when the library cannot write the key.
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, InvalidKey> {
        let document = match &self.0.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
            Pair::Es256(pair) => pair.to_pkcs8v1(),
        };
        document
            .map(|document| Secret::new(document.as_ref().to_vec()))
            .map_err(|_| InvalidKey::Rejected)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.public.id()
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.public.algorithm()
    }

    /// The half that is published.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.0.public.clone()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        match &self.0.pair {
            Pair::Ed25519(pair) => pair.try_sign(message),
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), message),
        }
        .map_err(|_| SignError)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
