//! What the audit learns of a token that is refused.

use bytes::Bytes;
use msf_auth::{
    JwksFetchError, KeySet, RemoteKeys, Revocation, Revocations, TokenCache, TrustedIssuer,
    Verifier,
    audit::{Audit, Kind, MemorySink},
};
use serde_json::{Value, json};

use crate::support::{ISSUER, Keyring, claims, clock, ed25519, signed};

struct Setup {
    keys: Keyring,
    seen: MemorySink,
}

impl Setup {
    fn new() -> Self {
        Self {
            keys: Keyring::generate(),
            seen: MemorySink::new(10),
        }
    }

    fn known(&self) -> KeySet {
        KeySet::new([self.keys.ed25519.verifying_key()]).unwrap()
    }

    fn token(&self, header: &Value, claim: &str, value: Value) -> String {
        let mut claims = claims();
        claims[claim] = value;
        let sign = ed25519(&self.keys.ed25519);
        signed(&header.to_string(), &claims.to_string(), sign)
    }

    /// Issuer, key id, token id and reason of the only event since the last one.
    fn told(&self) -> [Option<String>; 4] {
        let events = self.seen.events();
        let event = events.last().unwrap();
        assert_eq!(event.kind(), Kind::TokenRefused);
        ["issuer", "key_id", "token_id", "reason"].map(|name| event.field(name).map(str::to_owned))
    }
}

fn fields(all: [Option<&str>; 4]) -> [Option<String>; 4] {
    all.map(|field| field.map(str::to_owned))
}

#[tokio::test]
async fn the_issuer_is_told_if_it_is_one_of_ours() {
    let setup = Setup::new();
    let trusted = TrustedIssuer::new(ISSUER, setup.known()).audience("shop");
    let builder = Verifier::builder().issuer(trusted).clock(clock());
    let verifier = builder.audit(Audit::new(setup.seen.clone())).build();
    let verifier = verifier.unwrap();
    let header = setup.keys.header();
    let id = setup.keys.ed25519.id();
    let stranger = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "stranger" });
    let evil = json!("https://evil.example");
    for (token, issuer, key_id, reason) in [
        (
            setup.token(&header, "aud", json!("bank")),
            Some(ISSUER),
            id,
            "audience",
        ),
        (
            setup.token(&header, "exp", json!(1)),
            Some(ISSUER),
            id,
            "expired",
        ),
        (
            setup.token(&stranger, "sub", json!("7")),
            Some(ISSUER),
            "stranger",
            "unknown_key",
        ),
        (setup.token(&header, "iss", evil), None, id, "issuer"),
    ] {
        assert!(verifier.verify(&token).await.is_err());
        let expected = fields([issuer, Some(key_id), Some("1"), Some(reason)]);
        assert_eq!(setup.told(), expected);
    }
    assert!(verifier.verify("a.b.c").await.is_err());
    assert_eq!(setup.told(), fields([None, None, None, Some("form")]));
    assert_eq!(setup.seen.count(Kind::TokenRefused), 5, "each once");
}

#[tokio::test(start_paused = true)]
async fn it_is_told_also_when_the_keys_were_waited_for() {
    let setup = Setup::new();
    let document = Bytes::from(setup.known().to_json());
    let keys = RemoteKeys::new(move || {
        let document = document.clone();
        async move { Ok::<_, JwksFetchError>(document) }
    });
    assert!(keys.refresh().await);
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let builder = Verifier::builder().issuer(trusted).clock(clock());
    let verifier = builder.audit(Audit::new(setup.seen.clone())).build();
    let verifier = verifier.unwrap();
    let stranger = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "stranger" });
    let token = setup.token(&stranger, "sub", json!("7"));
    let expected = fields([
        Some(ISSUER),
        Some("stranger"),
        Some("1"),
        Some("unknown_key"),
    ]);
    // Waited for, and then refused at once since nothing may be asked again so soon.
    for n in 1..=5 {
        assert!(verifier.verify(&token).await.is_err());
        assert_eq!(setup.told(), expected);
        assert_eq!(setup.seen.count(Kind::TokenRefused), n, "each once");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_told_of_tokens_that_are_kept() {
    let setup = Setup::new();
    let revocations = Revocations::builder().clock(clock()).build().unwrap();
    let trusted = TrustedIssuer::new(ISSUER, setup.known()).audience("shop");
    let builder = Verifier::builder().issuer(trusted).clock(clock());
    let builder = builder.audit(Audit::new(setup.seen.clone()));
    let builder = builder.revocations(revocations.clone());
    let verifier = builder.cache(TokenCache::default()).build().unwrap();
    let token = setup.token(&setup.keys.header(), "sub", json!("7"));
    let caller = verifier.verify(&token).await.unwrap();
    revocations.apply(&Revocation::token(&caller, clock().now()));
    let id = setup.keys.ed25519.id();
    // First the one that is kept, then the one that is not any more.
    for _ in 0..2 {
        assert!(verifier.verify(&token).await.is_err());
        let expected = fields([Some(ISSUER), Some(id), Some("1"), Some("revoked")]);
        assert_eq!(setup.told(), expected);
    }
}
