//! Keys: what is read, what is refused, and what is printed again.

use msf_core::config::Secret;
use proptest::{
    collection,
    prelude::{any, prop_assert, prop_assert_eq, proptest},
};

use super::*;
use crate::{algorithm::Algorithm, token::base64url};

mod pairs;
mod public;
mod shared;

fn only_key(jwk: &str) -> KeySet {
    let keys = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
    assert_eq!(keys.skipped(), [], "{jwk}");
    keys
}

fn fault(jwk: &str) -> KeyFault {
    let keys = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
    assert!(keys.is_empty(), "{jwk}");
    keys.skipped()[0].fault
}

fn verifies(key: &Key, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    key.verify(message.as_bytes(), &base64url::decode(signature).unwrap())
}

/// The token with the last bit of its signature's first byte flipped.
fn bent(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    signature[0] ^= 1;
    format!("{message}.{}", base64url::encode(signature))
}

const X25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

#[test]
fn the_vector_of_rfc_8037_verifies() {
    // Appendix A.4.
    let keys = only_key(&format!(
        r#"{{"kty":"OKP","crv":"Ed25519","x":"{X25519_X}"}}"#
    ));
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                 hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = keys.find(None).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    assert!(verifies(key, token));
    assert!(!verifies(key, &bent(token)));
}

#[test]
fn the_vector_of_rfc_7515_a_1_verifies() {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = HmacKey::hs256("a", &Secret::new(base64url::decode(secret).unwrap())).unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = Key::from(key);
    assert!(verifies(&key, token));
    assert!(!verifies(&key, &bent(token)));
}

#[test]
fn the_vector_of_rfc_7515_a_3_verifies() {
    let keys = only_key(&format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}"}}"#
    ));
    let token = "eyJhbGciOiJFUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = keys.find(None).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Es256);
    assert!(verifies(key, token));
    assert!(!verifies(key, &bent(token)));
}

#[test]
fn a_signature_of_zeros_or_of_another_length_is_refused() {
    let key = Key::from(SigningKey::generate_es256().unwrap().verifying_key());
    for length in [0, 32, 63, 64, 65, 72, 128] {
        assert!(!key.verify(b"message", &vec![0; length]), "{length}");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_skipped_and_says_why() {
    let okp = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X25519_X}"{more}}}"#);
    let cases = [
        (okp(r#","d":"AA""#), KeyFault::Private),
        (okp(r#","p":null"#), KeyFault::Private),
        (okp(r#","oth":[]"#), KeyFault::Private),
        (okp(r#","k":7"#), KeyFault::Private),
        (okp(r#","use":"enc""#), KeyFault::Use),
        (okp(r#","key_ops":["sign"]"#), KeyFault::Use),
        (okp(r#","alg":"ES256""#), KeyFault::Algorithm),
        (okp(r#","alg":"HS256""#), KeyFault::Algorithm),
        (okp(r#","alg":"none""#), KeyFault::Algorithm),
        (okp(r#","kid":"""#), KeyFault::Id),
        (okp(r#","kid":"a\n""#), KeyFault::Id),
        (okp(r#","kid":7"#), KeyFault::Malformed),
        (okp("").replace("Ed25519", "X25519"), KeyFault::Unsupported),
        (okp("").replace("QHOg", "QHO"), KeyFault::Point),
        (okp("").replace("\"x\"", "\"z\""), KeyFault::Malformed),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_X}"}}"#),
            KeyFault::Point,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}"}}"#),
            KeyFault::Malformed,
        ),
        (
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#.to_owned(),
            KeyFault::Point,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-384","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyFault::Point,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyFault::Unsupported,
        ),
        (
            format!(r#"{{"kty":"EC","x":"{P256_X}","y":"{P256_Y}"}}"#),
            KeyFault::Malformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}","alg":"ES384"}}"#),
            KeyFault::Algorithm,
        ),
        (
            r#"{"kty":"RSA","n":"AA","e":"AQAB"}"#.to_owned(),
            KeyFault::Modulus,
        ),
        (
            r#"{"kty":"RSA","n":"=","e":"AQAB"}"#.to_owned(),
            KeyFault::Modulus,
        ),
        (
            r#"{"kty":"RSA","e":"AQAB"}"#.to_owned(),
            KeyFault::Malformed,
        ),
        (r#"{"kty":"AKP"}"#.to_owned(), KeyFault::Unsupported),
        (r#"{"kty":["RSA"]}"#.to_owned(), KeyFault::Malformed),
        (
            okp(r#","key_ops":["verify","verify"]"#),
            KeyFault::Malformed,
        ),
        (okp(r#","use":"sig","key_ops":[]"#), KeyFault::Use),
        (
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            KeyFault::Symmetric,
        ),
        ("7".to_owned(), KeyFault::Malformed),
    ];
    for (jwk, expected) in cases {
        assert_eq!(fault(&jwk), expected, "{jwk}");
    }
    let unreadable = format!(r#"{{"keys":[{}]}}"#, okp(r#","kid":"a\n","use":"enc""#));
    let keys = KeySet::parse(unreadable.as_bytes()).unwrap();
    assert_eq!(keys.skipped()[0].id, None);
    for more in [
        r#","use":"sig""#,
        r#","key_ops":["verify"]"#,
        r#","alg":"Ed25519""#,
        r#","x5t":"a""#,
    ] {
        assert_eq!(only_key(&okp(more)).len(), 1);
    }
}

#[test]
fn keys_with_one_id_are_all_skipped_and_the_others_stay() {
    let okp = |kid: &str| {
        let key = SigningKey::generate_ed25519().unwrap().verifying_key();
        KeySet::new([key.with_id(kid).unwrap()]).unwrap().to_json()
    };
    let inner = |json: String| json["{\"keys\":[".len()..json.len() - 2].to_owned();
    let keys = [okp("a"), okp("b"), okp("a")].map(inner).join(",");
    let keys = KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).unwrap();
    assert_eq!(Vec::from_iter(keys.ids()), ["b"]);
    assert!(
        keys.skipped()
            .iter()
            .all(|skipped| skipped.fault == KeyFault::Duplicate)
    );
    assert_eq!(keys.skipped().len(), 2);
}

#[test]
fn two_known_keys_with_one_id_are_an_error() {
    let key = SigningKey::generate_ed25519().unwrap().verifying_key();
    let error = KeySet::new([key.clone(), key.clone()]).unwrap_err();
    assert_eq!(&*error.id, key.id());
}

#[test]
fn what_is_no_key_set_is_an_error() {
    for json in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        "{\"keys\":[]} x",
    ] {
        assert!(
            matches!(KeySet::parse(json.as_bytes()), Err(InvalidKeySet::Json(_))),
            "{json}"
        );
    }
    // A secret in the wrong file does not get into the log.
    for json in [r#""hunter2""#, r#"{"keys":"hunter2"}"#, r#"["hunter2"]"#] {
        let error = KeySet::parse(json.as_bytes()).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let many = format!(r#"{{"keys":[{}7]}}"#, "7,".repeat(128));
    assert!(matches!(
        KeySet::parse(many.as_bytes()),
        Err(InvalidKeySet::TooManyKeys)
    ));
    let large = vec![b' '; 512 * 1024 + 1];
    assert!(matches!(
        KeySet::parse(&large),
        Err(InvalidKeySet::TooLarge)
    ));
}

#[test]
fn without_an_id_only_the_only_key_is_found() {
    let [one, two] = [(); 2].map(|()| SigningKey::generate_ed25519().unwrap().verifying_key());
    assert!(KeySet::new([one.clone()]).unwrap().find(None).is_some());
    assert!(KeySet::new([one, two]).unwrap().find(None).is_none());
}

#[test]
fn secrets_are_neither_printed_nor_published() {
    let hmac = HmacKey::hs256(
        "a",
        &Secret::new(b"0123456789abcdef0123456789abcdef".to_vec()),
    )
    .unwrap();
    let keys = KeySet::new([hmac]).unwrap();
    assert_eq!(keys.to_json(), r#"{"keys":[]}"#);
    assert!(!format!("{keys:?}").contains("0123"));
    let key = SigningKey::generate_es256().unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey {{ id: {:?}, algorithm: Es256, .. }}", key.id())
    );
}

#[test]
fn what_is_published_is_read_back_as_the_same_key() {
    for key in [
        SigningKey::generate_ed25519().unwrap(),
        SigningKey::generate_es256().unwrap(),
    ] {
        let published = KeySet::new([key.verifying_key()]).unwrap().to_json();
        let read = KeySet::parse(published.as_bytes()).unwrap();
        match read.find(Some(key.id())).unwrap() {
            Key::Public(public) => assert_eq!(*public, key.verifying_key()),
            Key::Hmac(_) => panic!("a public key was published"),
        }
    }
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(document in collection::vec(any::<u8>(), 0..200)) {
        if let Ok(keys) = KeySet::parse(&document) {
            prop_assert!(keys.len() <= 128);
        }
    }

    #[test]
    fn a_member_of_any_text_gives_a_key_or_a_fault(x in ".{0,64}", kid in ".{0,8}") {
        let jwk = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid });
        let document = serde_json::json!({ "keys": [jwk] }).to_string();
        let keys = KeySet::parse(document.as_bytes()).unwrap();
        prop_assert_eq!(keys.len() + keys.skipped().len(), 1);
    }
}
