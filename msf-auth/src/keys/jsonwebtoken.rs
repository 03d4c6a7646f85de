//! From and to the types of jsonwebtoken, for programs that have these already.
//!
//! Their keys pass the same checks as those of a document. What jsonwebtoken does not keep cannot be checked: that a
//! private part was published, and the name of an algorithm that it does not know. So parse a document with
//! [`KeySet::parse`] where you have it.
//!
//! ```
//! use msf_auth::{Algorithm, KeySet, VerifyingKey};
//!
//! let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_str(
//!     r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"}]}"#,
//! )?;
//! let keys = KeySet::try_from(&jwks)?;
//! assert!(keys.contains("a"));
//! assert_eq!(VerifyingKey::try_from(&jwks.keys[0])?.algorithm(), Algorithm::EdDsa);
//!
//! assert_eq!(Algorithm::try_from(jsonwebtoken::Algorithm::PS256)?, Algorithm::Ps256);
//! assert!(jsonwebtoken::Algorithm::try_from(Algorithm::Es512).is_err());
//! # Ok::<(), msf_core::BoxError>(())
//! ```

use jsonwebtoken::jwk::{Jwk, JwkSet};
use thiserror::Error;

use super::{InvalidKeySet, KeyFault, KeySet, VerifyingKey, jwk};
use crate::algorithm::Algorithm;

/// An algorithm that only one of the two libraries has.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an algorithm that the other library does not have")]
#[non_exhaustive]
pub struct UnknownAlgorithm;

/// An RSA key without `alg` is for RS256.
impl TryFrom<&Jwk> for VerifyingKey {
    type Error = KeyFault;

    fn try_from(jwk: &Jwk) -> Result<Self, KeyFault> {
        let value = serde_json::to_value(jwk).map_err(|_| KeyFault::Malformed)?;
        jwk::parse(&value, Algorithm::Rs256)
    }
}

/// As [`KeySet::parse`]: keys that cannot be used are skipped.
impl TryFrom<&JwkSet> for KeySet {
    type Error = InvalidKeySet;

    fn try_from(jwks: &JwkSet) -> Result<Self, InvalidKeySet> {
        let document = serde_json::to_vec(jwks).map_err(InvalidKeySet::Json)?;
        Self::parse(&document)
    }
}

impl TryFrom<jsonwebtoken::Algorithm> for Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(algorithm: jsonwebtoken::Algorithm) -> Result<Self, UnknownAlgorithm> {
        // Its names are those of the `alg` member.
        Self::from_name(&format!("{algorithm:?}")).ok_or(UnknownAlgorithm)
    }
}

impl TryFrom<Algorithm> for jsonwebtoken::Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(algorithm: Algorithm) -> Result<Self, UnknownAlgorithm> {
        algorithm.as_str().parse().map_err(|_| UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_but_one_goes_both_ways() {
        for algorithm in Algorithm::ALL {
            match jsonwebtoken::Algorithm::try_from(*algorithm) {
                Ok(theirs) => assert_eq!(Algorithm::try_from(theirs), Ok(*algorithm)),
                Err(_) => assert_eq!(*algorithm, Algorithm::Es512),
            }
        }
    }

    #[test]
    fn keys_that_are_not_taken_are_not_taken_from_there_either() {
        let set = |keys: &str| -> JwkSet {
            serde_json::from_str(&format!(r#"{{"keys":[{keys}]}}"#)).unwrap()
        };
        let okp =
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        let keys = set(&format!(
            r#"{{{okp},"kid":"a","alg":"EdDSA"}},{{{okp},"kid":"b","use":"enc"}},
               {{"kty":"oct","k":"c2VjcmV0","kid":"c"}},{{{okp},"kid":"d"}},{{{okp},"kid":"d"}}"#
        ));
        let taken = KeySet::try_from(&keys).unwrap();
        assert_eq!(Vec::from_iter(taken.ids()), ["a"]);
        let faults: Vec<_> = taken
            .skipped()
            .iter()
            .map(|skipped| skipped.fault)
            .collect();
        assert_eq!(
            faults,
            [
                KeyFault::Use,
                KeyFault::Symmetric,
                KeyFault::Duplicate,
                KeyFault::Duplicate
            ]
        );
        assert_eq!(
            VerifyingKey::try_from(&keys.keys[2]),
            Err(KeyFault::Symmetric)
        );
    }
}
