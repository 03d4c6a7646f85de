//! Key pairs of every type, made by the library and signing as others would.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaSignatureEncoding,
    },
};

use crate::{algorithm::Algorithm, keys::VerifyingKey};

/// Takes a tenth of a second to make, so there is one.
static RSA: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// A pair for one algorithm with a public key.
pub(super) enum Pair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(&'static RsaSignatureEncoding),
}

pub(super) const PUBLIC_KEY_ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

impl Pair {
    pub(super) fn of(algorithm: Algorithm) -> Self {
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            Self::Ec(EcdsaKeyPair::generate(curve).unwrap())
        };
        match algorithm {
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Rs256 => Self::Rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Self::Rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Self::Rsa(&RSA_PKCS1_SHA512),
            Algorithm::Ps256 => Self::Rsa(&RSA_PSS_SHA256),
            Algorithm::Ps384 => Self::Rsa(&RSA_PSS_SHA384),
            Algorithm::Ps512 => Self::Rsa(&RSA_PSS_SHA512),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => panic!("no pair"),
        }
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        let der = match self {
            Self::Ec(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::Rsa(_) => RSA.public_key().as_der(),
        };
        der.unwrap().as_ref().to_vec()
    }

    pub(super) fn verifying_key(&self, algorithm: Algorithm) -> VerifyingKey {
        VerifyingKey::from_spki_der(&self.spki(), algorithm).unwrap()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(encoding) => {
                let mut signature = vec![0; RSA.public_modulus_len()];
                RSA.sign(*encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}
