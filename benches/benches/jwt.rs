//! What it costs to verify a token: `cargo bench -p msf-benches --bench jwt`.
//!
//! The same token, with the same claims, through `msf_auth::Verifier` (without and with a cache), through
//! `jsonwebtoken::decode`, and through nothing but the signature check of aws-lc-rs, in turns. All have their key
//! parsed as far as they can beforehand; the first three check signature, audience, issuer and expiry. Ours checks
//! more: type, members twice, life, canonical text, and it makes a `Principal`.
//!
//! `overhead` is what a row costs beyond the signature check.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{convert::Infallible, future::Ready, hint::black_box};

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
        VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, Validation};
use msf_auth::{
    Algorithm, AuthLayer, HmacKey, Identity, Key, KeySet, TokenCache, TrustedIssuer, Verifier,
    VerifyingKey, policy::scope,
};
use msf_benches::rounds::{Candidate, measure};
use msf_core::{BoxError, clock::WallClock, config::Secret, testing::allocations};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;
use tower::{Layer, Service};

const ISSUER: &str = "https://user.shop";
const SECRET: [u8; 32] = [7; 32];
const KEY_ID: &str = "2026-11";

/// What `jsonwebtoken` deserializes into: the same claims, owned.
#[derive(Deserialize)]
struct Claims {
    #[expect(dead_code, reason = "it is only decoded")]
    sub: String,
    #[expect(dead_code, reason = "it is only decoded")]
    scope: String,
    #[expect(dead_code, reason = "it is only decoded")]
    jti: String,
}

type Primitive = Box<dyn Fn(&[u8], &[u8]) -> bool>;

struct Case {
    name: &'static str,
    token: String,
    keys: KeySet,
    theirs: (DecodingKey, Validation),
    primitive: Primitive,
}

fn main() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, operations) = if is_quick { (5, 200) } else { (41, 1_000) };
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>13}",
        "", "ns", "overhead", "ratio", "allocations"
    );
    for case in [hs256()?, rs256()?, es256()?, eddsa()?] {
        case.run(&runtime, rounds, operations)?;
    }
    refusals(&runtime, rounds, operations)?;
    layer(&runtime, rounds, operations)
}

impl Case {
    fn run(&self, runtime: &Runtime, rounds: u32, operations: u32) -> Result<(), BoxError> {
        let plain = verifier(&self.keys, None)?;
        let cached = verifier(&self.keys, Some(TokenCache::default()))?;
        // A benchmark of refusals would be fast and worthless.
        runtime.block_on(plain.verify(&self.token))?;
        runtime.block_on(cached.verify(&self.token))?;
        let (key, validation) = &self.theirs;
        jsonwebtoken::decode::<Claims>(&self.token, key, validation)?;
        let (message, signature) = self.token.rsplit_once('.').ok_or("it has three segments")?;
        let signature = URL_SAFE_NO_PAD.decode(signature)?;
        if !(self.primitive)(message.as_bytes(), &signature) {
            return Err("the primitive takes it".into());
        }

        let verify = |verifier: &Verifier| {
            black_box(runtime.block_on(verifier.verify(black_box(&self.token)))).ok();
        };
        let names = match self.name {
            "HS256" => [
                "HS256  primitive",
                "HS256  msf-auth",
                "HS256  with a cache",
                "HS256  jsonwebtoken",
            ],
            "RS256" => [
                "RS256  primitive",
                "RS256  msf-auth",
                "RS256  cached",
                "RS256  jsonwebtoken",
            ],
            "ES256" => [
                "ES256  primitive",
                "ES256  msf-auth",
                "ES256  cached",
                "ES256  jsonwebtoken",
            ],
            _ => [
                "EdDSA  primitive",
                "EdDSA  msf-auth",
                "EdDSA  cached",
                "EdDSA  jsonwebtoken",
            ],
        };
        let mut candidates = [
            Candidate::new(names[0], || {
                black_box((self.primitive)(black_box(message.as_bytes()), &signature));
            }),
            Candidate::new(names[1], || verify(&plain)),
            Candidate::new(names[2], || verify(&cached)),
            Candidate::new(names[3], || {
                let token = black_box(&self.token);
                black_box(jsonwebtoken::decode::<Claims>(token, key, validation)).ok();
            }),
        ];
        print(&mut candidates, 1, rounds, operations);
        Ok(())
    }
}

/// `ratio` is to the candidate `base`, `overhead` beyond the first one.
fn print(candidates: &mut [Candidate<'_>], base: usize, rounds: u32, operations: u32) {
    let counts: Vec<u64> = candidates
        .iter_mut()
        .map(|candidate| allocations(|| candidate.run()).count)
        .collect();
    let measured = measure(candidates, rounds, operations);
    for (row, count) in measured.iter().zip(counts) {
        println!(
            "{:<26}{:>10.0}{:>10.0}{:>10.2}{:>13}",
            row.name,
            row.ns,
            row.ns - measured[0].ns,
            row.ns / measured[base].ns,
            count
        );
    }
}

/// What no token is, at the length of one.
fn refusals(runtime: &Runtime, rounds: u32, operations: u32) -> Result<(), BoxError> {
    let case = eddsa()?;
    let verifier = verifier(&case.keys, Some(TokenCache::default()))?;
    let words = "not a token ".repeat(40);
    let letters = "a".repeat(480);
    let dots = format!("{0}.{0}.{0}", "!".repeat(160));
    let refuse = |text: &str| {
        black_box(runtime.block_on(verifier.verify(black_box(text)))).ok();
    };
    let mut candidates = [
        Candidate::new("refused  empty", || refuse("")),
        Candidate::new("refused  words", || refuse(&words)),
        Candidate::new("refused  one segment", || refuse(&letters)),
        Candidate::new("refused  three segments", || refuse(&dots)),
    ];
    print(&mut candidates, 0, rounds, operations * 10);
    Ok(())
}

/// One request through a service, alone and behind the layer, which finds the token, verifies it (cached), decides
/// by a scope and leaves the caller for the handler.
fn layer(runtime: &Runtime, rounds: u32, operations: u32) -> Result<(), BoxError> {
    let case = eddsa()?;
    let verifier = verifier(&case.keys, Some(TokenCache::default()))?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", case.token))?;
    let mut open = Handler { is_open: true };
    let mut guarded = AuthLayer::new(verifier, scope("orders:read"))?
        .answering()
        .layer(Handler { is_open: false });
    let request = || {
        let mut request = Request::new(Full::<Bytes>::default());
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, bearer.clone());
        request
    };
    let answer = runtime.block_on(guarded.call(request()))?;
    if answer.status() != 200 {
        return Err("the caller may".into());
    }
    let mut candidates = [
        Candidate::new("layer  without", || {
            black_box(runtime.block_on(open.call(request()))).ok();
        }),
        Candidate::new("layer  with, cached", || {
            black_box(runtime.block_on(guarded.call(request()))).ok();
        }),
    ];
    print(&mut candidates, 0, rounds, operations * 5);
    Ok(())
}

/// Looks for the caller, as an extractor does.
#[derive(Clone)]
struct Handler {
    is_open: bool,
}

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let caller = Identity::of(request.extensions()).cloned();
        let mut response = Response::new(Full::default());
        if caller.is_none() && !self.is_open {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        std::future::ready(Ok(response))
    }
}

fn verifier(keys: &KeySet, cache: Option<TokenCache>) -> Result<Verifier, BoxError> {
    let trusted = TrustedIssuer::new(ISSUER, keys.clone())
        .audience("shop")
        .algorithms([
            Algorithm::EdDsa,
            Algorithm::Es256,
            Algorithm::Hs256,
            Algorithm::Rs256,
        ]);
    let builder = Verifier::builder().issuer(trusted);
    Ok(match cache {
        Some(cache) => builder.cache(cache).build()?,
        None => builder.build()?,
    })
}

/// 241 bytes of claims.
fn token(algorithm: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let now_s = WallClock::system().unix_seconds();
    let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": KEY_ID });
    let claims = json!({
        "iss": ISSUER, "sub": "8a1d2f70-51c4-4f7e", "aud": "shop", "exp": now_s + 3_600, "iat": now_s,
        "jti": "fZ2mP0y1QnGk3sVt7uXw9A", "scope": "orders:read orders:write", "client_id": "shop-web",
        "sid": "0b7d0b0e8f1c4c57", "tenant": "north", "email_verified": true,
    });
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let signature = sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["shop"]);
    validation.set_issuer(&[ISSUER]);
    validation
}

fn public(key: VerifyingKey) -> Result<KeySet, BoxError> {
    Ok(KeySet::new([Key::from(key.with_id(KEY_ID)?)])?)
}

fn primitive(
    algorithm: &'static dyn VerificationAlgorithm,
    bytes: &[u8],
) -> Result<Primitive, BoxError> {
    let key = ParsedPublicKey::new(algorithm, bytes)?;
    Ok(Box::new(move |message, signature| {
        key.verify_sig(message, signature).is_ok()
    }))
}

fn hs256() -> Result<Case, BoxError> {
    let key = HmacKey::hs256(KEY_ID, &Secret::new(SECRET.to_vec()))?;
    let primitive = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    Ok(Case {
        name: "HS256",
        token: token("HS256", |message| {
            hmac::sign(&primitive, message).as_ref().to_vec()
        }),
        keys: KeySet::new([Key::from(key)])?,
        theirs: (
            DecodingKey::from_secret(&SECRET),
            validation(jsonwebtoken::Algorithm::HS256),
        ),
        primitive: Box::new(move |message, signature| {
            hmac::verify(&primitive, message, signature).is_ok()
        }),
    })
}

fn rs256() -> Result<Case, BoxError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let token = token("RS256", |message| {
        let signed = pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        );
        signed.map(|()| signature.clone()).unwrap_or_default()
    });
    let spki = pair.public_key().as_der()?;
    Ok(Case {
        name: "RS256",
        token,
        keys: public(VerifyingKey::from_spki_der(
            spki.as_ref(),
            Algorithm::Rs256,
        )?)?,
        theirs: (
            DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            validation(jsonwebtoken::Algorithm::RS256),
        ),
        primitive: primitive(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())?,
    })
}

fn es256() -> Result<Case, BoxError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let token = token("ES256", |message| {
        let signed = pair.sign(&SystemRandom::new(), message);
        signed
            .map(|signature| signature.as_ref().to_vec())
            .unwrap_or_default()
    });
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at(32);
    Ok(Case {
        name: "ES256",
        token,
        keys: public(VerifyingKey::es256(x, y)?)?,
        theirs: (
            DecodingKey::from_ec_components(
                &URL_SAFE_NO_PAD.encode(x),
                &URL_SAFE_NO_PAD.encode(y),
            )?,
            validation(jsonwebtoken::Algorithm::ES256),
        ),
        primitive: primitive(&ECDSA_P256_SHA256_FIXED, point)?,
    })
}

fn eddsa() -> Result<Case, BoxError> {
    let pair = Ed25519KeyPair::generate()?;
    let bytes = pair.public_key().as_ref();
    Ok(Case {
        name: "EdDSA",
        token: token("EdDSA", |message| pair.sign(message).as_ref().to_vec()),
        keys: public(VerifyingKey::ed25519(bytes)?)?,
        theirs: (
            DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(bytes))?,
            validation(jsonwebtoken::Algorithm::EdDSA),
        ),
        primitive: primitive(&ED25519, bytes)?,
    })
}
