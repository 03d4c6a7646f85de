//! The public half of a key.

use std::{fmt, sync::Arc};

use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::Value;

use super::{InvalidKey, KeyFault, curve::Curve, is_key_id, jwk, material::Material, spki};
use crate::{
    algorithm::Algorithm,
    token::{base64url, json::Strict},
};

/// A public key with its id and its one algorithm, parsed once. Cloning shares it.
///
/// Unless it is given another id, it is called by its [thumbprint](Self::thumbprint) in base64url.
///
/// ```
/// use msf_auth::{Algorithm, InvalidKey, SigningKey, VerifyingKey};
///
/// let key = SigningKey::generate_ed25519()?.verifying_key();
/// assert_eq!(key.algorithm(), Algorithm::EdDsa);
/// assert!(VerifyingKey::ed25519(&[7; 31]).is_err());
///
/// // A public key of 1024 bits can be factored.
/// let short = VerifyingKey::rsa(Algorithm::Rs256, &[0xff; 128], &[1, 0, 1]);
/// assert_eq!(short.unwrap_err(), InvalidKey::Modulus);
/// # Ok::<(), msf_auth::InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    id: Box<str>,
    algorithm: Algorithm,
    key: ParsedPublicKey,
    material: Material,
    thumbprint: [u8; 32],
}

impl VerifyingKey {
    /// An Ed25519 key of 32 bytes (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for another length or for bytes that are no point, [`InvalidKey::Weak`] for a
    /// point of small order.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(Material::ed25519(bytes)?, Algorithm::EdDsa)
    }

    /// A P-256 key of two coordinates of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for other lengths or a point that is not on the curve.
    pub fn es256(x: &[u8], y: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(Material::ec(Curve::P256, x, y)?, Algorithm::Es256)
    }

    /// A P-384 key of two coordinates of 48 bytes.
    ///
    /// # Errors
    ///
    /// As [`es256`](Self::es256).
    pub fn es384(x: &[u8], y: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(Material::ec(Curve::P384, x, y)?, Algorithm::Es384)
    }

    /// A P-521 key of two coordinates of 66 bytes.
    ///
    /// # Errors
    ///
    /// As [`es256`](Self::es256).
    pub fn es512(x: &[u8], y: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(Material::ec(Curve::P521, x, y)?, Algorithm::Es512)
    }

    /// An RSA key of modulus and public exponent, big-endian without leading zeros, for one of the six
    /// algorithms of RSA.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Modulus`] unless it is odd and has 2048 to 8192 bits, [`InvalidKey::Exponent`] unless it is odd,
    /// at least 3 and below 2^33, [`InvalidKey::Weak`] for a modulus of the generator of CVE-2017-15361,
    /// [`InvalidKey::Algorithm`] for an algorithm that is none of RSA.
    pub fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(Material::rsa(n, e), algorithm)
    }

    /// A key in DER as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), for one algorithm.
    ///
    /// The document cannot say which algorithm of RSA is meant, so it is always given, and has to go with the
    /// key. Taken are the key types `rsaEncryption`, `id-ecPublicKey` on a named curve with an uncompressed
    /// point, and `Ed25519`.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for other documents, [`InvalidKey::Algorithm`] for an algorithm that does not go
    /// with the key, and what the constructor of its type says.
    ///
    /// ```
    /// use msf_auth::{Algorithm, InvalidKey, VerifyingKey};
    ///
    /// let pem = "-----BEGIN PUBLIC KEY-----\n\
    ///     MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    ///     -----END PUBLIC KEY-----\n";
    /// let key = VerifyingKey::from_spki_pem(pem, Algorithm::EdDsa)?;
    /// assert_eq!(key.to_spki_der(), VerifyingKey::from_spki_der(&key.to_spki_der(), Algorithm::EdDsa)?.to_spki_der());
    /// let other = VerifyingKey::from_spki_pem(pem, Algorithm::Rs256);
    /// assert_eq!(other.unwrap_err(), InvalidKey::Algorithm);
    /// # Ok::<(), InvalidKey>(())
    /// ```
    pub fn from_spki_der(der: &[u8], algorithm: Algorithm) -> Result<Self, InvalidKey> {
        Self::new(spki::decode(der)?, algorithm)
    }

    /// As [`from_spki_der`](Self::from_spki_der), from one block `PUBLIC KEY` in PEM (RFC 7468 section 13).
    ///
    /// # Errors
    ///
    /// As [`from_spki_der`](Self::from_spki_der); [`InvalidKey::Private`] for the block of a private key, which
    /// nobody should have sent.
    pub fn from_spki_pem(pem: &str, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        Self::from_spki_der(&spki::decode_pem(pem)?, algorithm)
    }

    /// One JWK (RFC 7517 section 4) in JSON. An RSA key without `alg` is for RS256.
    ///
    /// # Errors
    ///
    /// [`KeyFault`], as in a [`KeySet`](crate::KeySet).
    ///
    /// ```
    /// use msf_auth::{KeyFault, VerifyingKey};
    ///
    /// let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = VerifyingKey::from_jwk(jwk)?;
    /// assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    ///
    /// let secret = VerifyingKey::from_jwk(br#"{"kty":"oct","k":"c2VjcmV0"}"#);
    /// assert_eq!(secret.unwrap_err(), KeyFault::Symmetric);
    /// # Ok::<(), KeyFault>(())
    /// ```
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyFault> {
        if json.len() > JWK_BYTES_MAX {
            return Err(KeyFault::Malformed);
        }
        let Strict(value) = serde_json::from_slice(json).map_err(|_| KeyFault::Malformed)?;
        jwk::parse(&value, Algorithm::Rs256)
    }

    pub(super) fn new(material: Material, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let key = material.parse(algorithm)?;
        let thumbprint = material.thumbprint();
        Ok(Self(Arc::new(Inner {
            id: base64url::encode(thumbprint).into(),
            algorithm,
            key,
            material,
            thumbprint,
        })))
    }

    /// The same key under another id.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Id`] for an id that is none.
    pub fn with_id(self, id: &str) -> Result<Self, InvalidKey> {
        if !is_key_id(id) {
            return Err(InvalidKey::Id);
        }
        let inner = &*self.0;
        Ok(Self(Arc::new(Inner {
            id: id.into(),
            algorithm: inner.algorithm,
            key: inner.key.clone(),
            material: inner.material.clone(),
            thumbprint: inner.thumbprint,
        })))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The SHA-256 of what makes the key what it is (RFC 7638): the same for the same key under any id and
    /// for any algorithm.
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.0.thumbprint
    }

    /// As SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::encode(&self.0.material)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // The length first, so that nothing else is read as numbers; aws-lc checks the range of each.
        signature.len() == self.0.material.signature_bytes()
            && self.0.key.verify_sig(message, signature).is_ok()
    }

    /// As a JWK (RFC 7517 section 4).
    pub(super) fn to_jwk(&self) -> Value {
        let mut jwk = self.0.material.to_jwk();
        jwk["kid"] = self.id().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().as_str().into();
        jwk
    }
}

/// An RSA key of 8192 bits has 1.5 KiB; certificates may come with it.
const JWK_BYTES_MAX: usize = 64 * 1024;

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
            && self.algorithm() == other.algorithm()
            && self.0.material == other.0.material
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.0.id)
            .field("algorithm", &self.0.algorithm)
            .finish_non_exhaustive()
    }
}
