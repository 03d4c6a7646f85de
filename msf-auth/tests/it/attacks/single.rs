//! What is about a verifier and not about a token.

use msf_auth::{
    Algorithm, HmacKey, Key, KeySet, Reason, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    VerifyError,
};
use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use serde_json::json;

use crate::support::{ISSUER, Keyring, SECRET, claims, clock, es256, hs256, signed};

async fn outcome(verifier: &Verifier, token: &str) -> Result<(), VerifyError> {
    verifier.verify(token).await.map(|_| ())
}

#[tokio::test]
async fn no_reason_reaches_a_caller() {
    let verifier = Keyring::generate().verifier();
    let error = outcome(&verifier, "a.b.c").await.unwrap_err();
    let problem = Problem::from(error);
    assert_eq!(problem.code(), Code::InvalidToken);
    let response: http::Response<bytes::Bytes> = problem.into_response();
    let body = String::from_utf8_lossy(response.body()).into_owned();
    assert!(!body.contains("form") && !body.contains("header"), "{body}");
}

#[tokio::test]
async fn a_type_may_be_configured_in_full() {
    let key = SigningKey::generate_ed25519().unwrap();
    let issuer = TokenIssuer::new(ISSUER, key);
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks())
        .audience("shop")
        .token_type("application/at+jwt");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let token = issuer.token("7").audience("shop").sign().unwrap();
    assert_eq!(outcome(&verifier, &token).await, Ok(()));
}

#[tokio::test]
async fn a_key_of_an_algorithm_that_is_not_taken_from_its_issuer_counts_for_nothing() {
    let keys = Keyring::generate();
    let hmac = HmacKey::hs256("hmac", &Secret::new(SECRET.to_vec())).unwrap();
    let known = KeySet::new([Key::from(hmac), keys.es256.verifying_key().into()]).unwrap();
    let trust = || TrustedIssuer::new(ISSUER, known.clone()).audience("shop");
    let payload = claims().to_string();
    let header =
        |alg: &str, kid: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
    let by_secret = signed(&header("HS256", "hmac"), &payload, hs256(&SECRET));
    let by_es256 = signed(
        &header("ES256", keys.es256.id()),
        &payload,
        es256(&keys.es256),
    );

    let refused = VerifyError::from(Reason::Algorithm);
    for (trusted, token, expected) in [
        (trust(), &by_secret, Err(refused)),
        (trust(), &by_es256, Ok(())),
        (
            trust().algorithms([Algorithm::EdDsa]),
            &by_es256,
            Err(refused),
        ),
        (trust().algorithms([Algorithm::Hs256]), &by_secret, Ok(())),
    ] {
        let verifier = Verifier::builder().issuer(trusted).clock(clock()).build();
        assert_eq!(
            outcome(&verifier.unwrap(), token).await,
            expected,
            "{token}"
        );
    }
}
