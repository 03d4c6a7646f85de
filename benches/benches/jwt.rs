//! What it costs to verify a token: `cargo bench -p msf-benches --bench jwt`.
//!
//! The same token, with the same claims, through `msf_auth::Verifier` (without and with a cache), through
//! `jsonwebtoken::decode` and the `verify_token` of jwt-simple, and through nothing but the signature check of
//! aws-lc-rs, in turns. All have their key parsed as far as they can beforehand; all but the last check signature,
//! audience, issuer and expiry. Ours checks more: type, members twice, life, canonical text, and it makes a `Principal`.
//!
//! jwt-simple has cryptography of its own, so that its rows compare another library as well as another reader of
//! tokens; and it takes its options by value, so that they are cloned for each token, as by whoever uses it.
//!
//! `overhead` is what a row costs beyond the signature check of aws-lc-rs. A figure is what one round in fifty stays
//! below, and rounds are short, a fraction of a millisecond: on a machine that others use, a long round is interrupted
//! every time, and a median says how busy the machine was.
//!
//! A word selects: `-- HS256` or `-- refused`.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{
    convert::Infallible,
    future::Ready,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

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
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, HS256Key,
    MACLike, RS256PublicKey, RSAPublicKeyLike, VerificationOptions,
};
use msf_auth::{
    Algorithm, AuthLayer, HmacKey, Identity, Key, KeySet, TokenCache, TrustedIssuer, Verifier,
    VerifyingKey, policy::scope,
};
use msf_benches::rounds::{Candidate, measure};
use msf_core::{BoxError, clock::WallClock, config::Secret, testing::allocations};
use serde::Deserialize;
use serde_json::json;
use tower::{Layer, Service};

const ISSUER: &str = "https://user.shop";
const SECRET: [u8; 32] = [7; 32];
const KEY_ID: &str = "2026-11";

/// What jsonwebtoken deserializes into: claims, owned.
#[derive(Deserialize)]
struct Claims {
    #[expect(dead_code, reason = "it is only decoded")]
    sub: String,
    #[expect(dead_code, reason = "it is only decoded")]
    scope: String,
    #[expect(dead_code, reason = "it is only decoded")]
    jti: String,
}

/// The same for jwt-simple, which has fields of its own for the others.
#[derive(Deserialize)]
struct Scope {
    #[expect(dead_code, reason = "it is only decoded")]
    scope: String,
}

type Primitive = Box<dyn Fn(&[u8], &[u8]) -> bool>;
type Simple = Box<dyn Fn(&str, VerificationOptions) -> bool>;

struct Case {
    name: &'static str,
    /// So many that a round stays a fraction of a millisecond.
    operations: u32,
    token: String,
    keys: KeySet,
    theirs: (DecodingKey, Validation),
    simple: Simple,
    primitive: Primitive,
}

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds = if args.iter().any(|arg| arg == "--quick") {
        51
    } else {
        1_001
    };
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>13}",
        "", "ns", "overhead", "ratio", "allocations"
    );
    for case in [hs256()?, rs256()?, es256()?, eddsa()?] {
        if is_wanted(case.name) {
            case.run(rounds)?;
        }
    }
    if is_wanted("refused") {
        refusals(rounds)?;
    }
    if is_wanted("layer") {
        layer(rounds)?;
    }
    Ok(())
}

impl Case {
    fn run(&self, rounds: u32) -> Result<(), BoxError> {
        let plain = verifier(&self.keys, None)?;
        let cached = verifier(&self.keys, Some(TokenCache::default()))?;
        // A benchmark of refusals would be fast and worthless.
        now(plain.verify(&self.token))?;
        now(cached.verify(&self.token))?;
        let (key, validation) = &self.theirs;
        jsonwebtoken::decode::<Claims>(&self.token, key, validation)?;
        let options = options();
        if !(self.simple)(&self.token, options.clone()) {
            return Err("jwt-simple takes it".into());
        }
        let (message, signature) = self.token.rsplit_once('.').ok_or("it has three segments")?;
        let signature = URL_SAFE_NO_PAD.decode(signature)?;
        if !(self.primitive)(message.as_bytes(), &signature) {
            return Err("the primitive takes it".into());
        }

        let verify = |verifier: &Verifier| {
            black_box(now(verifier.verify(black_box(&self.token)))).ok();
        };
        let names = match self.name {
            "HS256" => [
                "HS256  primitive",
                "HS256  msf-auth",
                "HS256  with a cache",
                "HS256  jsonwebtoken",
                "HS256  jwt-simple",
            ],
            "RS256" => [
                "RS256  primitive",
                "RS256  msf-auth",
                "RS256  cached",
                "RS256  jsonwebtoken",
                "RS256  jwt-simple",
            ],
            "ES256" => [
                "ES256  primitive",
                "ES256  msf-auth",
                "ES256  cached",
                "ES256  jsonwebtoken",
                "ES256  jwt-simple",
            ],
            _ => [
                "EdDSA  primitive",
                "EdDSA  msf-auth",
                "EdDSA  cached",
                "EdDSA  jsonwebtoken",
                "EdDSA  jwt-simple",
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
            Candidate::new(names[4], || {
                black_box((self.simple)(black_box(&self.token), options.clone()));
            }),
        ];
        print(&mut candidates, 1, rounds, self.operations);
        Ok(())
    }
}

/// What a future gives that is ready at once, as it is with known keys; a runtime would cost more than some rows.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
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
            row.undisturbed_ns,
            row.undisturbed_ns - measured[0].undisturbed_ns,
            row.undisturbed_ns / measured[base].undisturbed_ns,
            count
        );
    }
}

/// What no token is, at the length of one.
fn refusals(rounds: u32) -> Result<(), BoxError> {
    let case = eddsa()?;
    let verifier = verifier(&case.keys, Some(TokenCache::default()))?;
    let words = "not a token ".repeat(40);
    let letters = "a".repeat(480);
    let dots = format!("{0}.{0}.{0}", "!".repeat(160));
    let refuse = |text: &str| {
        black_box(now(verifier.verify(black_box(text)))).ok();
    };
    let mut candidates = [
        Candidate::new("refused  empty", || refuse("")),
        Candidate::new("refused  words", || refuse(&words)),
        Candidate::new("refused  one segment", || refuse(&letters)),
        Candidate::new("refused  three segments", || refuse(&dots)),
    ];
    print(&mut candidates, 0, rounds, 1_000);
    Ok(())
}

/// One request through a service, alone and behind the layer, which finds the token, verifies it (cached), decides
/// by a scope and leaves the caller for the handler.
fn layer(rounds: u32) -> Result<(), BoxError> {
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
    let answer = now(guarded.call(request()))?;
    if answer.status() != 200 {
        return Err("the caller may".into());
    }
    let mut candidates = [
        Candidate::new("layer  without", || {
            black_box(now(open.call(request()))).ok();
        }),
        Candidate::new("layer  with, cached", || {
            black_box(now(guarded.call(request()))).ok();
        }),
    ];
    print(&mut candidates, 0, rounds, 200);
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

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
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

fn options() -> VerificationOptions {
    VerificationOptions {
        allowed_audiences: Some(["shop".to_owned()].into()),
        allowed_issuers: Some([ISSUER.to_owned()].into()),
        ..VerificationOptions::default()
    }
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
    let simple = HS256Key::from_bytes(&SECRET);
    Ok(Case {
        name: "HS256",
        operations: 100,
        token: token("HS256", |message| {
            hmac::sign(&primitive, message).as_ref().to_vec()
        }),
        keys: KeySet::new([Key::from(key)])?,
        theirs: (
            DecodingKey::from_secret(&SECRET),
            validation(jsonwebtoken::Algorithm::HS256),
        ),
        simple: Box::new(move |token, options| {
            simple.verify_token::<Scope>(token, Some(options)).is_ok()
        }),
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
    let simple = RS256PublicKey::from_der(pair.public_key().as_der()?.as_ref())?;
    let spki = pair.public_key().as_der()?;
    Ok(Case {
        name: "RS256",
        // Few, since jwt-simple takes milliseconds for RSA in Rust.
        operations: 2,
        token,
        keys: public(VerifyingKey::from_spki_der(
            spki.as_ref(),
            Algorithm::Rs256,
        )?)?,
        theirs: (
            DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            validation(jsonwebtoken::Algorithm::RS256),
        ),
        simple: Box::new(move |token, options| {
            simple.verify_token::<Scope>(token, Some(options)).is_ok()
        }),
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
    let simple = ES256PublicKey::from_bytes(point)?;
    Ok(Case {
        name: "ES256",
        operations: 5,
        token,
        keys: public(VerifyingKey::es256(x, y)?)?,
        theirs: (
            DecodingKey::from_ec_components(
                &URL_SAFE_NO_PAD.encode(x),
                &URL_SAFE_NO_PAD.encode(y),
            )?,
            validation(jsonwebtoken::Algorithm::ES256),
        ),
        simple: Box::new(move |token, options| {
            simple.verify_token::<Scope>(token, Some(options)).is_ok()
        }),
        primitive: primitive(&ECDSA_P256_SHA256_FIXED, point)?,
    })
}

fn eddsa() -> Result<Case, BoxError> {
    let pair = Ed25519KeyPair::generate()?;
    let bytes = pair.public_key().as_ref();
    let simple = Ed25519PublicKey::from_bytes(bytes)?;
    Ok(Case {
        name: "EdDSA",
        operations: 5,
        token: token("EdDSA", |message| pair.sign(message).as_ref().to_vec()),
        keys: public(VerifyingKey::ed25519(bytes)?)?,
        theirs: (
            DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(bytes))?,
            validation(jsonwebtoken::Algorithm::EdDSA),
        ),
        simple: Box::new(move |token, options| {
            simple.verify_token::<Scope>(token, Some(options)).is_ok()
        }),
        primitive: primitive(&ED25519, bytes)?,
    })
}
