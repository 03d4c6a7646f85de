//! An issuer with a key of each kind, and two who verify its tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RsaEncoding},
};
use msf_auth::{Algorithm, HmacKey, Key, KeySet, TrustedIssuer, Verifier, VerifyingKey};
use msf_core::{clock::WallClock, config::Secret};
use serde_json::{Value, json};

use crate::support::{ISSUER, Keyring, SECRET, ed25519, signed};

pub(super) struct World {
    pub(super) now_s: u64,
    pub(super) keys: Keyring,
    rsa: KeyPair,
    pub(super) rs256: VerifyingKey,
    pub(super) verifier: Verifier,
    /// What the issuer publishes.
    pub(super) document: String,
}

impl World {
    /// The time is the real one, for jsonwebtoken knows no other.
    pub(super) fn new() -> Self {
        let now = SystemTime::now();
        let keys = Keyring::generate();
        let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki = rsa.public_key().as_der().unwrap();
        let rs256 = VerifyingKey::from_spki_der(spki.as_ref(), Algorithm::Rs256).unwrap();
        let published = [
            keys.ed25519.verifying_key(),
            keys.es256.verifying_key(),
            rs256.clone(),
        ];
        let document = KeySet::new(published.clone()).unwrap().to_json();
        let secret = HmacKey::hs256("hmac", &Secret::new(SECRET.to_vec())).unwrap();
        let known = published.map(Key::from).into_iter().chain([secret.into()]);
        let trusted = TrustedIssuer::new(ISSUER, KeySet::new(known).unwrap())
            .audience("shop")
            .algorithms([
                Algorithm::EdDsa,
                Algorithm::Es256,
                Algorithm::Rs256,
                Algorithm::Hs256,
            ]);
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(WallClock::pinned(now))
            .build()
            .unwrap();
        Self {
            now_s: now.duration_since(UNIX_EPOCH).unwrap().as_secs(),
            keys,
            rsa,
            rs256,
            verifier,
            document,
        }
    }

    pub(super) fn header(&self, alg: &str, kid: &str) -> String {
        json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string()
    }

    pub(super) fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": "7", "aud": "shop", "iat": self.now_s, "exp": self.now_s + 900,
            "jti": "1", "scope": "orders:read",
        })
    }

    /// A token of any two texts with a good signature.
    pub(super) fn texts(&self, header: &str, payload: &str) -> String {
        signed(header, payload, ed25519(&self.keys.ed25519))
    }

    pub(super) fn with_header(&self, change: &Value) -> String {
        let header = with(self.keys.header(), change).to_string();
        self.texts(&header, &self.claims().to_string())
    }

    pub(super) fn with_claims(&self, change: &Value) -> String {
        let payload = with(self.claims(), change).to_string();
        self.texts(&self.keys.header().to_string(), &payload)
    }

    pub(super) fn good(&self) -> String {
        self.with_claims(&json!({}))
    }

    /// Signs with the RSA key by any algorithm.
    pub(super) fn rsa<'a>(
        &'a self,
        encoding: &'static dyn RsaEncoding,
    ) -> impl Fn(&[u8]) -> Vec<u8> + 'a {
        move |message| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let random = SystemRandom::new();
            self.rsa
                .sign(encoding, &random, message, &mut signature)
                .unwrap();
            signature
        }
    }
}

/// An object with members changed; `null` takes a member out.
pub(super) fn with(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            _ => base[name] = value.clone(),
        }
    }
    base
}
