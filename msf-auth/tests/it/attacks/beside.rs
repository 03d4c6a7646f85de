//! The same tokens before `jsonwebtoken::decode`, used as its documentation shows.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm},
};
use serde_json::Value;

use super::{Case, world::World};
use crate::support::{ISSUER, SECRET};

impl World {
    pub(super) fn jsonwebtoken_accepts(&self, case: &Case) -> bool {
        let document = case.document.as_deref().unwrap_or(&self.document);
        accepts(&case.token, document).is_some()
    }
}

/// The key is chosen by its id, as everybody does, and the algorithm by the key and not by the token.
fn accepts(token: &str, document: &str) -> Option<()> {
    let header = decode_header(token).ok()?;
    let id = header.kid?;
    let (key, algorithm) = if id == "hmac" {
        (DecodingKey::from_secret(&SECRET), Algorithm::HS256)
    } else {
        let set: JwkSet = serde_json::from_str(document).ok()?;
        let jwk = set.find(&id)?;
        (DecodingKey::from_jwk(jwk).ok()?, algorithm(jwk)?)
    };
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["shop"]);
    validation.set_issuer(&[ISSUER]);
    decode::<Value>(token, &key, &validation).ok().map(drop)
}

fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    Some(match (jwk.common.key_algorithm, &jwk.algorithm) {
        (Some(KeyAlgorithm::EdDSA), _) | (None, AlgorithmParameters::OctetKeyPair(_)) => {
            Algorithm::EdDSA
        }
        (Some(KeyAlgorithm::ES256), _) | (None, AlgorithmParameters::EllipticCurve(_)) => {
            Algorithm::ES256
        }
        (Some(KeyAlgorithm::HS256), _) | (None, AlgorithmParameters::OctetKey(_)) => {
            Algorithm::HS256
        }
        (Some(KeyAlgorithm::RS256), _) | (None, AlgorithmParameters::RSA(_)) => Algorithm::RS256,
        _ => return None,
    })
}

#[test]
fn a_good_token_of_each_key_is_let_through() {
    let world = World::new();
    assert!(accepts(&world.good(), &world.document).is_some());
    for case in super::algorithm::good(&world) {
        assert!(accepts(&case, &world.document).is_some(), "{case}");
    }
}
