//! Shared secrets: their lengths, and what is no secret.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use proptest::{collection, prelude::*};

use super::{pairs::Pair, *};

fn hs256(secret: &[u8]) -> Result<(), InvalidKey> {
    HmacKey::hs256("a", &Secret::new(secret.to_vec())).map(drop)
}

#[test]
fn a_secret_has_at_least_the_length_of_its_hash() {
    type Make = fn(&str, &Secret<Vec<u8>>) -> Result<HmacKey, InvalidKey>;
    let cases: [(Make, usize, Algorithm); 3] = [
        (HmacKey::hs256, 32, Algorithm::Hs256),
        (HmacKey::hs384, 48, Algorithm::Hs384),
        (HmacKey::hs512, 64, Algorithm::Hs512),
    ];
    for (make, length, algorithm) in cases {
        let key = make("a", &Secret::new(vec![7; length])).unwrap();
        assert_eq!(Key::from(key.clone()).algorithm(), algorithm);
        for wrong in [0, 20, length - 1, length, length + 1] {
            assert!(!key.verify(b"message", &vec![0; wrong]));
        }
        for short in [0, 1, length - 1] {
            let key = make("a", &Secret::new(vec![7; short]));
            assert_eq!(key.unwrap_err(), InvalidKey::TooShort, "{short}");
        }
        let key = make("", &Secret::new(vec![7; length]));
        assert_eq!(key.unwrap_err(), InvalidKey::Id);
    }
}

#[test]
fn a_key_of_another_kind_is_no_secret() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let texts = [
        pem.to_owned(),
        format!("\u{feff} \n\t{pem}"),
        format!("# the key of the provider\n{pem}"),
        pem.replace("PUBLIC", "RSA PRIVATE"),
        pem.replace("PUBLIC KEY", "CERTIFICATE"),
        jwk.to_owned(),
        format!(" \n{jwk}"),
        format!(r#"{{"keys":[{jwk}]}}"#),
        format!("[{jwk}]"),
        STANDARD.encode(pem),
        STANDARD_NO_PAD.encode(jwk),
        URL_SAFE_NO_PAD.encode(pem),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB a@example".to_owned(),
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=".to_owned(),
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE".to_owned(),
    ];
    for text in texts {
        assert_eq!(hs256(text.as_bytes()), Err(InvalidKey::NotSecret), "{text}");
    }
    for algorithm in [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::Rs256,
    ] {
        let der = Pair::of(algorithm).spki();
        assert_eq!(hs256(&der), Err(InvalidKey::NotSecret), "{algorithm}");
        let point = match algorithm {
            Algorithm::Es256 => &der[der.len() - 65..],
            Algorithm::Es384 => &der[der.len() - 97..],
            Algorithm::Es512 => &der[der.len() - 133..],
            _ => continue,
        };
        assert_eq!(hs256(point), Err(InvalidKey::NotSecret), "{algorithm}");
    }
    let private = SigningKey::generate_es256().unwrap().to_pkcs8().unwrap();
    assert_eq!(hs256(private.expose()), Err(InvalidKey::NotSecret));
}

#[test]
fn what_only_looks_similar_is_a_secret() {
    for secret in [
        "a sentence of more than thirty-two bytes",
        "{this is a sentence in curly brackets, no key}",
        "bWFkZSBvZiByYW5kb20gYnl0ZXMgaW4gYmFzZTY0",
        "0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(hs256(secret.as_bytes()), Ok(()), "{secret}");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_a_secret(secret in collection::vec(any::<u8>(), 32..133)) {
        prop_assert_eq!(hs256(&secret), Ok(()));
    }
}
