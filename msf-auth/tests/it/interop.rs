//! What we issue, others accept; what we accept, others accept too.

use jsonwebtoken::{DecodingKey, Validation, decode, jwk::JwkSet};
use msf_auth::{SigningKey, TokenIssuer, TrustedIssuer, Verifier};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use serde_json::Value;

use crate::support::{ISSUER, Keyring, claims, ed25519, signed};

fn jsonwebtoken_accepts(token: &str, document: &str, validation: &Validation) -> bool {
    let Ok(header) = jsonwebtoken::decode_header(token) else {
        return false;
    };
    let set: JwkSet = serde_json::from_str(document).unwrap();
    let Some(jwk) = header.kid.as_deref().and_then(|kid| set.find(kid)) else {
        return false;
    };
    let key = DecodingKey::from_jwk(jwk).unwrap();
    decode::<Value>(token, &key, validation).is_ok()
}

#[tokio::test]
async fn what_we_issue_is_accepted_by_us_and_by_jsonwebtoken() {
    for (key, algorithm) in [
        (
            SigningKey::generate_ed25519().unwrap(),
            jsonwebtoken::Algorithm::EdDSA,
        ),
        (
            SigningKey::generate_es256().unwrap(),
            jsonwebtoken::Algorithm::ES256,
        ),
    ] {
        let issuer = TokenIssuer::new(ISSUER, key);
        let token = issuer
            .token("7")
            .audience("shop")
            .scopes(["a", "b"])
            .claim("role", "x");
        let token = token.sign().unwrap();

        let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
        let verifier = Verifier::builder().issuer(trusted).build().unwrap();
        let principal = verifier.verify(&token).await.unwrap();
        assert_eq!(Vec::from_iter(principal.scopes()), ["a", "b"]);
        assert_eq!(principal.claim("role").unwrap(), "x");
        assert!(principal.token_id().is_some_and(|id| id.len() == 22));

        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["shop"]);
        validation.set_issuer(&[ISSUER]);
        assert!(jsonwebtoken_accepts(
            &token,
            &issuer.jwks().to_json(),
            &validation
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_token_with_any_byte_changed_is_accepted_by_neither_or_by_both(
        place in any::<proptest::sample::Index>(),
        byte in b'!'..b'~',
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys = Keyring::generate();
        let token = signed(&keys.header().to_string(), &claims().to_string(), ed25519(&keys.ed25519));
        let mut bytes = token.clone().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        let ours = runtime.block_on(keys.verifier().verify(&changed)).is_ok();

        let document = msf_auth::KeySet::new([keys.ed25519.verifying_key()]).unwrap().to_json();
        let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
        validation.set_audience(&["shop"]);
        prop_assert!(!ours || jsonwebtoken_accepts(&changed, &document, &validation));
        prop_assert!(!ours || changed == token);
    }

    #[test]
    fn no_text_makes_the_verifier_panic(text in "\\PC{0,200}", parts in "[a-zA-Z0-9_.-]{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let verifier = Keyring::generate().verifier();
        for token in [text, parts] {
            let outcome = runtime.block_on(verifier.verify(&token));
            prop_assert!(outcome.is_err());
        }
    }
}
