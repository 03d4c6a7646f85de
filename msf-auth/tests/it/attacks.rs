//! Each row changes one thing of a token that is accepted, and has to be refused for the right reason.

use msf_auth::{
    Algorithm, HmacKey, Key, KeySet, Reason, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    VerifyError,
};
use msf_core::{
    config::Secret,
    problem::{Code, Problem},
};
use serde_json::{Value, json};

use crate::support::{
    ISSUER, Keyring, NOW_S, SECRET, claims, clock, ed25519, encode, es256, hs256, signed,
};

async fn outcome(verifier: &Verifier, token: &str) -> Result<(), VerifyError> {
    verifier.verify(token).await.map(|_| ())
}

/// A header with members changed; `null` takes a member out.
fn with(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            _ => base[name] = value.clone(),
        }
    }
    base
}

#[tokio::test]
async fn a_changed_header_is_refused() {
    let keys = Keyring::generate();
    let verifier = keys.verifier();
    let sign = ed25519(&keys.ed25519);
    let token = |header: &str| signed(header, &claims().to_string(), &sign);
    assert_eq!(
        outcome(&verifier, &token(&keys.header().to_string())).await,
        Ok(())
    );

    let long_kid = "k".repeat(257);
    let rows = [
        (json!({ "alg": "none" }), Reason::Algorithm),
        (json!({ "alg": "NoNe" }), Reason::Algorithm),
        (json!({ "alg": "" }), Reason::Algorithm),
        (json!({ "alg": null }), Reason::Algorithm),
        (json!({ "alg": ["EdDSA"] }), Reason::Header),
        (json!({ "alg": "RS256" }), Reason::Algorithm),
        (json!({ "alg": "eddsa" }), Reason::Algorithm),
        (json!({ "alg": "ES256" }), Reason::KeyAlgorithm),
        (json!({ "alg": "HS256" }), Reason::KeyAlgorithm),
        (json!({ "typ": null }), Reason::Type),
        (json!({ "typ": "JWT" }), Reason::Type),
        (json!({ "typ": "at+jwt " }), Reason::Type),
        (json!({ "typ": "application/" }), Reason::Type),
        (json!({ "typ": 1 }), Reason::Header),
        (json!({ "kid": null }), Reason::UnknownKey),
        (json!({ "kid": "" }), Reason::KeyId),
        (json!({ "kid": long_kid }), Reason::KeyId),
        (json!({ "kid": "../../etc/passwd" }), Reason::UnknownKey),
        (json!({ "kid": "a\r\nb" }), Reason::KeyId),
        (json!({ "kid": 7 }), Reason::Header),
        (json!({ "kid": keys.es256.id() }), Reason::KeyAlgorithm),
        (json!({ "crit": ["exp"] }), Reason::HeaderMember),
        (json!({ "crit": [] }), Reason::HeaderMember),
        (json!({ "b64": false }), Reason::HeaderMember),
        (json!({ "jku": "https://evil" }), Reason::HeaderMember),
        (json!({ "x5u": "https://evil" }), Reason::HeaderMember),
        (json!({ "x5c": [] }), Reason::HeaderMember),
        (json!({ "jwk": {} }), Reason::HeaderMember),
        (json!({ "zip": "DEF" }), Reason::HeaderMember),
        (json!({ "enc": "A256GCM" }), Reason::HeaderMember),
        (json!({ "cty": "JWT" }), Reason::HeaderMember),
    ];
    for (change, reason) in rows {
        let token = token(&with(keys.header(), &change).to_string());
        let error = outcome(&verifier, &token).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{change}");
    }

    let id = keys.ed25519.id();
    let texts = [
        (
            format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"at+jwt","kid":"{id}"}}"#),
            Reason::Header,
        ),
        (
            format!(r#"{{"alg":"EdDSA","\u0061lg":"none","typ":"at+jwt","kid":"{id}"}}"#),
            Reason::Header,
        ),
        ("[]".to_owned(), Reason::Header),
        ("{".to_owned(), Reason::Header),
        (format!("{} ,", keys.header()), Reason::Header),
        (
            with(keys.header(), &json!({ "pad": "p".repeat(2_048) })).to_string(),
            Reason::Size,
        ),
    ];
    for (header, reason) in texts {
        let error = outcome(&verifier, &token(&header)).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{header}");
    }
}

#[tokio::test]
async fn a_changed_claim_is_refused() {
    let keys = Keyring::generate();
    let verifier = keys.verifier();
    let sign = ed25519(&keys.ed25519);
    let token = |payload: &str| signed(&keys.header().to_string(), payload, &sign);

    let accepted = [
        json!({}),
        json!({ "aud": ["other", "shop"] }),
        json!({ "exp": NOW_S - 29 }),
        json!({ "nbf": NOW_S + 30 }),
        json!({ "scope": null }),
        json!({ "iat": null }),
    ];
    for change in accepted {
        let token = token(&with(claims(), &change).to_string());
        assert_eq!(outcome(&verifier, &token).await, Ok(()), "{change}");
    }

    let rows = [
        (json!({ "iss": null }), Reason::MissingClaim),
        (json!({ "iss": [ISSUER] }), Reason::Claims),
        (json!({ "iss": format!("{ISSUER}/") }), Reason::Issuer),
        (json!({ "iss": "HTTPS://user.shop" }), Reason::Issuer),
        (json!({ "sub": null }), Reason::MissingClaim),
        (json!({ "sub": "" }), Reason::MissingClaim),
        (json!({ "sub": 7 }), Reason::Claims),
        (json!({ "aud": null }), Reason::MissingClaim),
        (json!({ "aud": "Shop" }), Reason::Audience),
        (json!({ "aud": "shop2" }), Reason::Audience),
        (json!({ "aud": "sho" }), Reason::Audience),
        (json!({ "aud": [] }), Reason::Audience),
        (json!({ "aud": ["shop", 1] }), Reason::Claims),
        (json!({ "aud": 42 }), Reason::Claims),
        (json!({ "aud": { "shop": true } }), Reason::Claims),
        (json!({ "exp": null }), Reason::MissingClaim),
        (json!({ "exp": NOW_S - 30 }), Reason::Expired),
        (json!({ "exp": 0 }), Reason::Expired),
        (json!({ "exp": -1 }), Reason::Claims),
        (json!({ "exp": "1900000000" }), Reason::Claims),
        (json!({ "exp": u64::MAX }), Reason::Claims),
        (json!({ "exp": 1e300 }), Reason::Claims),
        (json!({ "exp": NOW_S + 86_401 }), Reason::Lifetime),
        (
            json!({ "iat": null, "exp": NOW_S + 86_431 }),
            Reason::Lifetime,
        ),
        (json!({ "nbf": NOW_S + 31 }), Reason::NotYetValid),
        (json!({ "nbf": "0" }), Reason::Claims),
        (json!({ "iat": NOW_S + 31 }), Reason::NotYetValid),
        (json!({ "scope": ["orders:read"] }), Reason::Claims),
        (json!({ "msf_kind": "service" }), Reason::Subject),
        (json!({ "msf_kind": "admin" }), Reason::Subject),
        (json!({ "msf_kind": true }), Reason::Claims),
    ];
    for (change, reason) in rows {
        let token = token(&with(claims(), &change).to_string());
        let error = outcome(&verifier, &token).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{change}");
    }

    let payload = claims().to_string();
    let open = &payload[..payload.len() - 1];
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    let texts = [
        (format!(r#"{open},"aud":"shop"}}"#), Reason::Claims),
        (format!(r#"{open},"\u0061ud":"shop"}}"#), Reason::Claims),
        (format!(r#"{open},"role":1,"role":1}}"#), Reason::Claims),
        (format!(r#"{open},"deep":{deep}}}"#), Reason::Claims),
        (format!(r#"{open},"exp2":1e400}}"#), Reason::Claims),
        (format!("{payload}x"), Reason::Claims),
        ("null".to_owned(), Reason::Claims),
        (
            with(claims(), &json!({ "pad": "p".repeat(8_192) })).to_string(),
            Reason::Size,
        ),
    ];
    for (payload, reason) in texts {
        let error = outcome(&verifier, &token(&payload)).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{payload}");
    }
}

#[tokio::test]
async fn a_changed_signature_or_key_is_refused() {
    let keys = Keyring::generate();
    let verifier = keys.verifier();
    let (ed, es) = (keys.ed25519.id(), keys.es256.id());
    let header =
        |alg: &str, kid: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
    let payload = claims().to_string();

    let accepted = [
        signed(&header("EdDSA", ed), &payload, ed25519(&keys.ed25519)),
        signed(&header("Ed25519", ed), &payload, ed25519(&keys.ed25519)),
        signed(&header("ES256", es), &payload, es256(&keys.es256)),
        signed(&header("HS256", "hmac"), &payload, hs256(&SECRET)),
        signed(
            &header("EdDSA", ed).replace("at+jwt", "application/AT+JWT"),
            &payload,
            ed25519(&keys.ed25519),
        ),
    ];
    for token in &accepted {
        assert_eq!(outcome(&verifier, token).await, Ok(()), "{token}");
    }

    let strangers = Keyring::generate();
    // The published half of a key, as bytes and as text, for a secret.
    let public = keys.ed25519.verifying_key();
    let document = KeySet::new([public]).unwrap().to_json();
    let rows = [
        (
            signed(&header("EdDSA", ed), &payload, ed25519(&strangers.ed25519)),
            Reason::Signature,
        ),
        (
            signed(&header("ES256", es), &payload, es256(&strangers.es256)),
            Reason::Signature,
        ),
        (
            signed(&header("HS256", "hmac"), &payload, hs256(&[8; 32])),
            Reason::Signature,
        ),
        (
            signed(&header("HS256", "hmac"), &payload, hs256(b"")),
            Reason::Signature,
        ),
        (
            signed(&header("HS256", ed), &payload, hs256(document.as_bytes())),
            Reason::KeyAlgorithm,
        ),
        (
            signed(&header("HS256", es), &payload, hs256(document.as_bytes())),
            Reason::KeyAlgorithm,
        ),
        (
            signed(&header("ES256", es), &payload, |_| vec![0; 64]),
            Reason::Signature,
        ),
        (
            signed(&header("ES256", es), &payload, |_| vec![255; 64]),
            Reason::Signature,
        ),
        (
            signed(&header("EdDSA", ed), &payload, |_| vec![0; 64]),
            Reason::Signature,
        ),
        (
            signed(&header("EdDSA", ed), &payload, |_| Vec::new()),
            Reason::Form,
        ),
        (
            signed(&header("ES256", es), &payload, |message| {
                [es256(&keys.es256)(message), vec![0]].concat()
            }),
            Reason::Signature,
        ),
        (
            signed(
                &header("EdDSA", "unknown"),
                &payload,
                ed25519(&keys.ed25519),
            ),
            Reason::UnknownKey,
        ),
    ];
    for (token, reason) in rows {
        let error = outcome(&verifier, &token).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{token}");
    }
}

#[tokio::test]
async fn another_form_is_refused() {
    let keys = Keyring::generate();
    let verifier = keys.verifier();
    let token = signed(
        &keys.header().to_string(),
        &claims().to_string(),
        ed25519(&keys.ed25519),
    );
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    // 64 bytes leave four bits in the last character that have to be zero.
    let last = signature.chars().last().unwrap();
    let bent = format!(
        "{}{}",
        &signature[..signature.len() - 1],
        char::from(last as u8 + 1)
    );

    let rows = [
        (String::new(), Reason::Form),
        (message.to_owned(), Reason::Form),
        (format!("{message}."), Reason::Form),
        (format!("{token}.{signature}"), Reason::Form),
        (format!("{token}.a.b"), Reason::Form),
        (format!("{token}="), Reason::Form),
        (format!("{token}\n"), Reason::Form),
        (format!(" {token}"), Reason::Form),
        (format!("{header}=.{payload}.{signature}"), Reason::Form),
        (format!("{header}..{signature}"), Reason::Form),
        (format!("{message}.{bent}"), Reason::Form),
        (
            format!(
                "{message}.{}",
                signature.replace('-', "+").replace('_', "/") + "+/"
            ),
            Reason::Form,
        ),
        (format!(r#"{{"payload":"{payload}"}}"#), Reason::Form),
        (format!("{message}.\u{e9}"), Reason::Form),
        (
            format!(
                "{header}.{}.{signature}",
                encode(claims().to_string().replace('7', "8"))
            ),
            Reason::Signature,
        ),
        ("a".repeat(8_193), Reason::Size),
        (
            format!("{}.{}.{}", "a".repeat(4_000), "b".repeat(4_190), "c"),
            Reason::Size,
        ),
    ];
    for (token, reason) in rows {
        let error = outcome(&verifier, &token).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{token}");
    }
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
