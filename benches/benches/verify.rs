//! What it costs to verify a token: `cargo bench -p msf-benches --bench verify`.
//!
//! The same token, with the same claims, through `msf_auth::Verifier` and through `jsonwebtoken::decode`, in
//! turns. Both have their key parsed as far as they can beforehand, both check signature, audience, issuer and
//! expiry. Ours checks more: type, members twice, life, canonical text, and it makes a `Principal`.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{hint::black_box, time::Duration};

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use msf_auth::{Algorithm, HmacKey, Key, KeySet, SigningKey, TokenIssuer, TrustedIssuer, Verifier};
use msf_benches::rounds::{Candidate, measure};
use msf_core::{BoxError, config::Secret};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

const ISSUER: &str = "https://user.shop";
const SECRET: [u8; 32] = [7; 32];

#[derive(Deserialize, Serialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    scope: String,
}

struct Case {
    names: [&'static str; 2],
    token: String,
    verifier: Verifier,
    key: DecodingKey,
    validation: Validation,
}

fn main() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, operations) = if is_quick { (5, 200) } else { (31, 2_000) };
    let cases = [
        hs256()?,
        asymmetric(
            ["EdDSA  msf-auth", "EdDSA  jsonwebtoken"],
            SigningKey::generate_ed25519()?,
            jsonwebtoken::Algorithm::EdDSA,
        )?,
        asymmetric(
            ["ES256  msf-auth", "ES256  jsonwebtoken"],
            SigningKey::generate_es256()?,
            jsonwebtoken::Algorithm::ES256,
        )?,
    ];
    println!("{:<24}{:>10}{:>10}", "", "ns", "ratio");
    for case in &cases {
        case.check(&runtime)?;
        let mut candidates = [
            Candidate::new(case.names[0], || {
                black_box(runtime.block_on(case.verifier.verify(black_box(&case.token)))).ok();
            }),
            Candidate::new(case.names[1], || {
                let token = black_box(&case.token);
                black_box(jsonwebtoken::decode::<Claims>(
                    token,
                    &case.key,
                    &case.validation,
                ))
                .ok();
            }),
        ];
        let measured = measure(&mut candidates, rounds, operations);
        for row in &measured {
            println!(
                "{:<24}{:>10.0}{:>10.2}",
                row.name,
                row.ns,
                row.ns / measured[0].ns
            );
        }
    }
    Ok(())
}

impl Case {
    /// A benchmark of refusals would be fast and worthless.
    fn check(&self, runtime: &Runtime) -> Result<(), BoxError> {
        runtime.block_on(self.verifier.verify(&self.token))?;
        jsonwebtoken::decode::<Claims>(&self.token, &self.key, &self.validation)?;
        Ok(())
    }
}

fn verifier(keys: KeySet) -> Result<Verifier, BoxError> {
    let trusted = TrustedIssuer::new(ISSUER, keys)
        .audience("shop")
        .algorithms([Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256]);
    Ok(Verifier::builder().issuer(trusted).build()?)
}

fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["shop"]);
    validation.set_issuer(&[ISSUER]);
    validation
}

fn asymmetric(
    names: [&'static str; 2],
    key: SigningKey,
    algorithm: jsonwebtoken::Algorithm,
) -> Result<Case, BoxError> {
    let issuer = TokenIssuer::new(ISSUER, key);
    let token = issuer
        .token("7")
        .audience("shop")
        .scopes(["orders:read", "orders:write"]);
    let document = issuer.jwks().to_json();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&document)?;
    let jwk = set.find(issuer.key_id()).ok_or("the key is published")?;
    Ok(Case {
        names,
        token: token.ttl(Duration::from_secs(3_600)).sign()?,
        verifier: verifier(issuer.jwks())?,
        key: DecodingKey::from_jwk(jwk)?,
        validation: validation(algorithm),
    })
}

fn hs256() -> Result<Case, BoxError> {
    let now_s = msf_core::clock::WallClock::system().unix_seconds();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        sub: "7".to_owned(),
        aud: "shop".to_owned(),
        exp: now_s + 3_600,
        iat: now_s,
        jti: "fZ2mP0y1QnGk3sVt7uXw9A".to_owned(),
        scope: "orders:read orders:write".to_owned(),
    };
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("2026-11".to_owned());
    let key = HmacKey::hs256("2026-11", &Secret::new(SECRET.to_vec()))?;
    Ok(Case {
        names: ["HS256  msf-auth", "HS256  jsonwebtoken"],
        token: jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&SECRET))?,
        verifier: verifier(KeySet::new([Key::from(key)])?)?,
        key: DecodingKey::from_secret(&SECRET),
        validation: validation(jsonwebtoken::Algorithm::HS256),
    })
}
