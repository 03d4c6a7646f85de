//! The same tokens before `jsonwebtoken::decode`, used as its documentation shows.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm},
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
    let id = decode_header(token).ok()?.kid?;
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

/// One of the three that the issuer uses: what a published key says, or what its type and curve are for.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    match jwk.common.key_algorithm {
        Some(KeyAlgorithm::EdDSA) => return Some(Algorithm::EdDSA),
        Some(KeyAlgorithm::ES256) => return Some(Algorithm::ES256),
        Some(KeyAlgorithm::RS256) => return Some(Algorithm::RS256),
        Some(_) => return None,
        None => {}
    }
    match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some(Algorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Some(Algorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        _ => None,
    }
}

#[test]
fn a_good_token_of_each_key_is_let_through() {
    let world = World::new();
    assert!(accepts(&world.good(), &world.document).is_some());
    for case in super::algorithm::good(&world) {
        assert!(accepts(&case, &world.document).is_some(), "{case}");
    }
}
