//! The public half of a key.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm},
};
use serde_json::{Value, json};

use super::{InvalidKey, is_key_id};
use crate::{algorithm::Algorithm, token::base64url};

/// A public key with its id and its one algorithm, parsed once. Cloning shares it.
///
/// ```
/// use msf_auth::{Algorithm, SigningKey, VerifyingKey};
///
/// let key = SigningKey::generate_ed25519()?.verifying_key();
/// assert_eq!(key.algorithm(), Algorithm::EdDsa);
/// assert!(VerifyingKey::ed25519(&[7; 31]).is_err());
/// # Ok::<(), msf_auth::InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    id: Box<str>,
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// An Ed25519 key of 32 bytes (RFC 8032 section 5.1.5), called by its thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for another length or for bytes that are no point.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| InvalidKey::Rejected)?;
        Self::parse(Algorithm::EdDsa, &ED25519, bytes)
    }

    /// A P-256 key of two coordinates of 32 bytes, called by its thumbprint (RFC 7638).
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Rejected`] for other lengths or a point that is not on the curve.
    pub fn es256(x: &[u8], y: &[u8]) -> Result<Self, InvalidKey> {
        if (x.len(), y.len()) != (32, 32) {
            return Err(InvalidKey::Rejected);
        }
        let point = [&[UNCOMPRESSED], x, y].concat();
        Self::parse(Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, &point)
    }

    fn parse(
        algorithm: Algorithm,
        parameters: &'static dyn VerificationAlgorithm,
        bytes: &[u8],
    ) -> Result<Self, InvalidKey> {
        let key = ParsedPublicKey::new(parameters, bytes).map_err(|_| InvalidKey::Rejected)?;
        let id = thumbprint(bytes).into();
        Ok(Self(Arc::new(Inner { id, algorithm, key })))
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
        let Inner { algorithm, key, .. } = &*self.0;
        Ok(Self(Arc::new(Inner {
            id: id.into(),
            algorithm: *algorithm,
            key: key.clone(),
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

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        // 64 bytes for both algorithms; aws-lc checks the range of each number.
        signature.len() == 64 && self.0.key.verify_sig(message, signature).is_ok()
    }

    /// As a JWK (RFC 7517 section 4).
    pub(super) fn to_jwk(&self) -> Value {
        let mut jwk = match point(self.0.key.as_ref()) {
            Some((x, y)) => json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }),
            None => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(&self.0.key) })
            }
        };
        jwk["kid"] = self.id().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().as_str().into();
        jwk
    }
}

/// SEC 1 section 2.3.3: the point follows in full.
const UNCOMPRESSED: u8 = 4;

/// The coordinates of a P-256 point; `None` for the 32 bytes of an Ed25519 key.
fn point(bytes: &[u8]) -> Option<(String, String)> {
    let (x, y) = bytes.get(1..65)?.split_at(32);
    Some((base64url::encode(x), base64url::encode(y)))
}

/// RFC 7638 section 3: the hash of the members that make the key what it is, sorted and without spaces.
fn thumbprint(bytes: &[u8]) -> String {
    let members = match point(bytes) {
        Some((x, y)) => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        None => {
            let x = base64url::encode(bytes);
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
        }
    };
    base64url::encode(digest(&SHA256, members.as_bytes()))
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
            && self.algorithm() == other.algorithm()
            && self.0.key.as_ref() == other.0.key.as_ref()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037 appendix A.3.
        let x = base64url::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = VerifyingKey::ed25519(&x).unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_is_refused() {
        assert_eq!(
            VerifyingKey::es256(&[1; 32], &[1; 32]).unwrap_err(),
            InvalidKey::Rejected
        );
        assert_eq!(
            VerifyingKey::es256(&[1; 33], &[1; 31]).unwrap_err(),
            InvalidKey::Rejected
        );
    }
}
