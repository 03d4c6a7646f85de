//! Tokens that no issuer would make, and a verifier at a fixed time.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    hmac, rand,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use msf_auth::{Algorithm, HmacKey, Key, KeySet, SigningKey, TrustedIssuer, Verifier};
use msf_core::{clock::WallClock, config::Secret};
use serde_json::{Value, json};

pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://user.shop";
pub(crate) const SECRET: [u8; 32] = [7; 32];

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Keys of which the verifier knows the public halves, and the secret.
pub(crate) struct Keyring {
    pub(crate) ed25519: SigningKey,
    pub(crate) es256: SigningKey,
}

impl Keyring {
    pub(crate) fn generate() -> Self {
        Self {
            ed25519: SigningKey::generate_ed25519().unwrap(),
            es256: SigningKey::generate_es256().unwrap(),
        }
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let hmac = HmacKey::hs256("hmac", &Secret::new(SECRET.to_vec())).unwrap();
        let keys = KeySet::new([
            Key::from(self.ed25519.verifying_key()),
            Key::from(self.es256.verifying_key()),
            Key::from(hmac),
        ])
        .unwrap();
        let trusted = TrustedIssuer::new(ISSUER, keys)
            .audience("shop")
            .algorithms([Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256]);
        Verifier::builder()
            .issuer(trusted)
            .clock(clock())
            .build()
            .unwrap()
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.ed25519.id() })
    }
}

pub(crate) fn clock() -> WallClock {
    WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S))
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "7", "aud": "shop", "iat": NOW_S, "exp": NOW_S + 900,
        "jti": "1", "scope": "orders:read",
    })
}

/// `header.payload.signature` of any two texts, signed as they are.
pub(crate) fn signed(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

pub(crate) fn ed25519(key: &SigningKey) -> impl Fn(&[u8]) -> Vec<u8> {
    let der = key.to_pkcs8().unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.expose()).unwrap();
    move |message| pair.sign(message).as_ref().to_vec()
}

pub(crate) fn es256(key: &SigningKey) -> impl Fn(&[u8]) -> Vec<u8> {
    let der = key.to_pkcs8().unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.expose()).unwrap();
    move |message| {
        pair.sign(&rand::SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

pub(crate) fn hs256(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}
