//! Signed messages without claims.

use msf_auth::{Algorithm, HmacKey, Key, KeySet, Reason, jws};
use msf_core::config::Secret;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use crate::support::{Keyring, SECRET, ed25519, encode, es256, hs256, signed};

const ALL: &[Algorithm] = Algorithm::ALL;

fn refused(message: &str, keys: &KeySet, algorithms: &[Algorithm]) -> Reason {
    jws::verify(message, keys, algorithms).unwrap_err()
}

fn set(keyring: &Keyring) -> KeySet {
    KeySet::new([
        Key::from(keyring.ed25519.verifying_key()),
        Key::from(keyring.es256.verifying_key()),
        Key::from(HmacKey::hs256("hmac", &Secret::new(SECRET.to_vec())).unwrap()),
    ])
    .unwrap()
}

#[test]
fn a_message_is_what_was_signed() {
    let keyring = Keyring::generate();
    let keys = set(&keyring);
    let payload = "any bytes \u{0} at all";
    let message = |alg: &str, kid: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = json!({ "alg": alg, "kid": kid, "typ": "webhook" }).to_string();
        signed(&header, payload, sign)
    };
    for (message, algorithm) in [
        (
            message("EdDSA", keyring.ed25519.id(), &ed25519(&keyring.ed25519)),
            Algorithm::EdDsa,
        ),
        (
            message("Ed25519", keyring.ed25519.id(), &ed25519(&keyring.ed25519)),
            Algorithm::EdDsa,
        ),
        (
            message("ES256", keyring.es256.id(), &es256(&keyring.es256)),
            Algorithm::Es256,
        ),
        (message("HS256", "hmac", &hs256(&SECRET)), Algorithm::Hs256),
    ] {
        let read = jws::verify(&message, &keys, &[algorithm]).unwrap();
        assert_eq!(read.algorithm(), algorithm);
        assert_eq!(read.message_type(), Some("webhook"));
        assert!(read.key_id().is_some());
        assert_eq!(read.payload(), payload.as_bytes());
        let printed = format!("{read:?}");
        assert!(
            printed.contains("webhook") && !printed.contains("97, 110, 121"),
            "{printed}"
        );
        assert_eq!(read.into_payload(), payload.as_bytes());
        let others: Vec<_> = ALL
            .iter()
            .copied()
            .filter(|other| *other != algorithm)
            .collect();
        assert_eq!(refused(&message, &keys, &others), Reason::Algorithm);
        assert_eq!(refused(&message, &keys, &[]), Reason::Algorithm);
        assert_eq!(
            refused(&message, &KeySet::default(), ALL),
            Reason::UnknownKey
        );
    }
}

#[test]
fn a_message_that_is_not_quite_right_is_refused() {
    let keyring = Keyring::generate();
    let keys = set(&keyring);
    let sign = ed25519(&keyring.ed25519);
    let message = |change: Value| {
        let mut header = json!({ "alg": "EdDSA", "kid": keyring.ed25519.id() });
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        signed(&header.to_string(), "payload", &sign)
    };
    assert!(jws::verify(&message(json!({})), &keys, ALL).is_ok());
    for (change, reason) in [
        (json!({ "alg": "none" }), Reason::Algorithm),
        (json!({ "alg": "HS256" }), Reason::KeyAlgorithm),
        (json!({ "alg": 7 }), Reason::Header),
        (json!({ "kid": "another" }), Reason::UnknownKey),
        (json!({ "kid": "\n" }), Reason::KeyId),
        (json!({ "kid": keyring.es256.id() }), Reason::KeyAlgorithm),
        (json!({ "kid": "hmac" }), Reason::KeyAlgorithm),
        (
            json!({ "crit": ["b64"], "b64": false }),
            Reason::HeaderMember,
        ),
        (json!({ "b64": true }), Reason::HeaderMember),
        (json!({ "jwk": {} }), Reason::HeaderMember),
        (
            json!({ "jku": "https://evil.example" }),
            Reason::HeaderMember,
        ),
        (json!({ "zip": "DEF" }), Reason::HeaderMember),
        (json!({ "long": "x".repeat(2_100) }), Reason::Size),
    ] {
        assert_eq!(
            refused(&message(change.clone()), &keys, ALL),
            reason,
            "{change}"
        );
    }
    let good = message(json!({}));
    let (start, signature) = good.rsplit_once('.').unwrap();
    for (text, reason) in [
        (String::new(), Reason::Form),
        ("..".to_owned(), Reason::Form),
        (start.to_owned(), Reason::Form),
        (format!("{start}."), Reason::Form),
        (format!("{good}."), Reason::Form),
        (format!("{good}.{signature}"), Reason::Form),
        (format!("{good}="), Reason::Form),
        (format!(" {good}"), Reason::Form),
        (format!("{good}\n"), Reason::Form),
        (format!("{{\"payload\":\"{start}\"}}"), Reason::Form),
        (format!("{start}.{}", encode([0; 64])), Reason::Signature),
        (format!("{start}.{}", encode([0; 63])), Reason::Signature),
        ("a".repeat(1024 * 1024 + 1), Reason::Size),
    ] {
        let end = text.len().min(200);
        assert_eq!(refused(&text, &keys, ALL), reason, "{}", &text[..end]);
    }
    let twice = r#"{"alg":"EdDSA","alg":"EdDSA"}"#;
    assert_eq!(
        refused(&signed(twice, "payload", &sign), &keys, ALL),
        Reason::Header
    );
}

#[test]
fn without_an_id_the_only_key_is_meant_and_never_one_of_several() {
    let keyring = Keyring::generate();
    let message = signed(r#"{"alg":"EdDSA"}"#, "payload", ed25519(&keyring.ed25519));
    let only = KeySet::new([keyring.ed25519.verifying_key()]).unwrap();
    assert!(jws::verify(&message, &only, ALL).is_ok());
    let empty = signed(r#"{"alg":"EdDSA"}"#, "", ed25519(&keyring.ed25519));
    assert_eq!(jws::verify(&empty, &only, ALL).unwrap().payload(), b"");
    // With the payload beside it, a message is not the signed one without it.
    let detached = message
        .split('.')
        .enumerate()
        .map(|(index, part)| if index == 1 { "" } else { part });
    let detached = Vec::from_iter(detached).join(".");
    assert_eq!(refused(&detached, &only, ALL), Reason::Signature);
    assert_eq!(refused(&message, &set(&keyring), ALL), Reason::UnknownKey);
}

proptest! {
    #[test]
    fn a_changed_byte_is_refused(place in any::<proptest::sample::Index>(), byte in b' '..b'~') {
        let header = r#"{"alg":"HS256","kid":"hmac"}"#;
        let message = signed(header, "payload", hs256(&SECRET));
        let mut bytes = message.clone().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        let keys = KeySet::new([HmacKey::hs256("hmac", &Secret::new(SECRET.to_vec())).unwrap()]).unwrap();
        prop_assert_eq!(jws::verify(&changed, &keys, ALL).is_ok(), changed == message);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,100}", parts in "[a-zA-Z0-9_.-]{0,100}") {
        for message in [text, parts] {
            prop_assert!(jws::verify(&message, &KeySet::default(), ALL).is_err());
        }
    }
}
