//! Attacks that are no tokens: what is tested where, and what is not there to be attacked.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};
use msf_auth::{
    Algorithm, HmacKey, InvalidAuthorization, InvalidKey, KeySet, Reason, Revocation, Revocations,
    TrustedIssuer, Verifier, bearer_token,
};
use msf_core::{clock::WallClock, config::Secret};
use serde_json::json;

use super::world::World;
use crate::support::{ISSUER, Keyring, claims, clock, ed25519, signed};

/// The rows of the page that count no tokens.
pub(super) fn rows() -> Vec<[String; 5]> {
    let row = |number: u8, attack: &str, outcome: &str| {
        let none = String::new;
        [
            number.to_string(),
            attack.to_owned(),
            outcome.to_owned(),
            none(),
            none(),
        ]
    };
    vec![
        row(
            12,
            "a weak secret",
            "no `HmacKey` below the bytes of its hash, nor of a key in PEM, DER or JSON. **Deviation**: long words \
             that can be guessed are not found; use random bytes",
        ),
        row(
            19,
            "a token that is sent again",
            "lives of at most 24 h, and `Revocations` by token, session, subject and issuer. **Deviation**: no proof \
             of a client's key is checked here (no DPoP, no `x5t#S256`), so until then a stolen one is good, unless \
             it is bound to a key and something in front checks that",
        ),
        row(
            20,
            "another issuer's keys or algorithms by discovery",
            "algorithms are named in the code and never read from a document; the issuer of the document has to be \
             the one asked for, its keys on a host that is allowed (tests `row_20_..`)",
        ),
        row(
            21,
            "two `Authorization` headers, a token in the query",
            "several are an error of the request (400); queries, bodies and cookies are not read",
        ),
        row(
            22,
            "DPoP proofs (RFC 9449)",
            "**deviation**: not offered; a token that needs one is refused, as above, unless the verifier was told \
             that they are checked elsewhere",
        ),
        row(
            23,
            "the time that a comparison takes",
            "API keys are found by their public part; hashes of API keys and clients' secrets, and the HMAC of a \
             token, are compared by aws-lc in constant time. Wherever one is wrong the same is done and said (tests \
             `row_23_..`); **deviation**: no test measures the time",
        ),
    ]
}

#[test]
fn a_weak_secret_is_no_key() {
    type Make = fn(&str, &Secret<Vec<u8>>) -> Result<HmacKey, InvalidKey>;
    let makes: [(Make, usize); 3] = [
        (HmacKey::hs256, 32),
        (HmacKey::hs384, 48),
        (HmacKey::hs512, 64),
    ];
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
               -----END PUBLIC KEY-----\n";
    for (make, bytes) in makes {
        let key = |secret: &[u8]| make("id", &Secret::new(secret.to_vec())).map(drop);
        assert_eq!(key(b""), Err(InvalidKey::TooShort));
        assert_eq!(key(b"secret"), Err(InvalidKey::TooShort));
        assert_eq!(key(&vec![7; bytes - 1]), Err(InvalidKey::TooShort));
        assert_eq!(key(pem.as_bytes()), Err(InvalidKey::NotSecret));
        assert_eq!(
            key(format!(" \n{pem}").as_bytes()),
            Err(InvalidKey::NotSecret)
        );
        assert_eq!(key(&vec![7; bytes]), Ok(()));
    }
    let der = Keyring::generate().es256.verifying_key().to_spki_der();
    let outcome = HmacKey::hs256("id", &Secret::new(der));
    assert_eq!(outcome.map(drop), Err(InvalidKey::NotSecret));
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_refused_and_another_is_not() {
    let world = World::new();
    let revocations = Revocations::new();
    let clock = WallClock::pinned(SystemTime::now());
    let known = KeySet::new([world.keys.ed25519.verifying_key()]).unwrap();
    let trusted = TrustedIssuer::new(ISSUER, known).audience("shop");
    let verifier = Verifier::builder()
        .issuer(trusted)
        .clock(clock)
        .revocations(revocations.clone())
        .build()
        .unwrap();
    let (stolen, other) = (world.good(), world.with_claims(&json!({ "jti": "2" })));
    let caller = verifier.verify(&stolen).await.unwrap();
    revocations.apply(&Revocation::token(&caller, clock.now()));
    let outcome = verifier.verify(&stolen).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Revoked);
    assert!(verifier.verify(&other).await.is_ok());
}

#[test]
fn one_authorization_header_and_no_more() {
    let parse = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer_token(&headers).map(|token| token.map(ToOwned::to_owned))
    };
    let malformed = Err(InvalidAuthorization::Malformed);
    assert_eq!(parse(&["Bearer a.b.c"]), Ok(Some("a.b.c".to_owned())));
    assert_eq!(parse(&[]), Ok(None));
    assert_eq!(parse(&["Basic dXNlcjpwYXNz"]), Ok(None));
    assert_eq!(
        parse(&["Bearer a", "Bearer a"]),
        Err(InvalidAuthorization::Repeated)
    );
    assert_eq!(
        parse(&["Bearer a", "Basic b"]),
        Err(InvalidAuthorization::Repeated)
    );
    assert_eq!(parse(&["Bearer"]), malformed);
    assert_eq!(parse(&["Bearer "]), malformed);
    assert_eq!(parse(&["Bearer a b"]), malformed);
    assert_eq!(parse(&["Bearer a,Bearer b"]), malformed);
    assert_eq!(parse(&["Bearer a\tb"]), malformed);
}

/// What the issuer's documents say about algorithms is never asked.
#[tokio::test]
async fn an_algorithm_that_is_not_named_is_not_taken_whatever_is_published() {
    let keys = Keyring::generate();
    let known = KeySet::new([keys.ed25519.verifying_key()]).unwrap();
    let trusted = TrustedIssuer::new(ISSUER, known)
        .audience("shop")
        .algorithms([Algorithm::Es256]);
    let verifier = Verifier::builder()
        .issuer(trusted)
        .clock(clock())
        .build()
        .unwrap();
    let token = signed(
        &keys.header().to_string(),
        &claims().to_string(),
        ed25519(&keys.ed25519),
    );
    let outcome = verifier.verify(&token).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Algorithm);
}
