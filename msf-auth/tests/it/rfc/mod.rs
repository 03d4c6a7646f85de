//! The examples of RFC 7515, 7517, 7519, 7520, 7638 and 8037.

mod numbers;

use msf_auth::{
    Algorithm, HmacKey, Key, KeyFault, KeySet, Reason, TrustedIssuer, Verifier, VerifyingKey, jws,
};
use msf_core::config::Secret;
use numbers::*;
use serde_json::{Value, json};

use crate::{
    conformance::{section, table},
    support::{clock, decode, encode},
};

fn public(mut jwk: Value, algorithm: &str) -> KeySet {
    jwk["alg"] = algorithm.into();
    let set = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    assert_eq!(set.skipped(), []);
    set
}

fn secret(id: &str, k: &str) -> KeySet {
    KeySet::new([HmacKey::hs256(id, &Secret::new(decode(k))).unwrap()]).unwrap()
}

fn bilbo() -> Value {
    json!({ "kty": "RSA", "n": BILBO_N, "e": "AQAB", "kid": BILBO, "use": "sig" })
}

const BILBO: &str = "bilbo.baggins@hobbiton.example";
const CLAIMS: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
const FRODO: &str = "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the road, and if \
                     you don't keep your feet, there\u{2019}s no knowing where you might be swept off to.";

/// An example that is to be accepted: where it is, token, keys, payload.
fn accepted() -> Vec<(&'static str, &'static str, KeySet, &'static str)> {
    let rsa = json!({ "kty": "RSA", "n": RS256_N, "e": "AQAB" });
    let p256 = json!({ "kty": "EC", "crv": "P-256", "x": ES256_X, "y": ES256_Y });
    let p521 = json!({ "kty": "EC", "crv": "P-521", "x": ES512_X, "y": ES512_Y });
    let bilbo_ec = json!({ "kty": "EC", "crv": "P-521", "x": BILBO_X, "y": BILBO_Y, "kid": BILBO });
    let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": EDDSA_X });
    let bilbo_k = secret("018c0ae5-4d9b-471b-bfd6-eef314bc7037", BILBO_K);
    vec![
        (
            "RFC 7515 A.1, HS256",
            HS256,
            secret("any", HS256_KEY),
            CLAIMS,
        ),
        ("RFC 7515 A.2, RS256", RS256, public(rsa, "RS256"), CLAIMS),
        ("RFC 7515 A.3, ES256", ES256, public(p256, "ES256"), CLAIMS),
        (
            "RFC 7515 A.4, ES512",
            ES512,
            public(p521, "ES512"),
            "Payload",
        ),
        (
            "RFC 7520 4.1, RS256",
            FIGURE_13,
            public(bilbo(), "RS256"),
            FRODO,
        ),
        (
            "RFC 7520 4.2, PS384",
            FIGURE_20,
            public(bilbo(), "PS384"),
            FRODO,
        ),
        (
            "RFC 7520 4.3, ES512",
            FIGURE_27,
            public(bilbo_ec, "ES512"),
            FRODO,
        ),
        ("RFC 7520 4.4, HS256", FIGURE_35, bilbo_k, FRODO),
        (
            "RFC 8037 A.4, EdDSA",
            EDDSA,
            public(ed25519, "EdDSA"),
            "Example of Ed25519 signing",
        ),
    ]
}

/// An example that is to be refused: where it is, token, reason, why in words.
fn refused() -> Vec<(&'static str, String, Reason, &'static str)> {
    let (message, signature) = HS256.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let general = json!({
        "payload": payload,
        "signatures": [{ "protected": header, "signature": signature }],
    });
    let flattened = json!({ "payload": payload, "protected": header, "signature": signature });
    let none = encode(r#"{"alg":"none"}"#);
    let critical = encode(
        "{\"alg\":\"none\",\r\n \"crit\":[\"http://example.invalid/UNDEFINED\"],\r\n \
         \"http://example.invalid/UNDEFINED\":true\r\n}",
    );
    let detached = format!("{}..{}", FIGURE_35.split('.').next().unwrap(), signature);
    vec![
        (
            "RFC 7515 A.5, unsecured",
            format!("{none}.{payload}."),
            Reason::Form,
            "as RFC 7519 6.1: nobody signed it",
        ),
        (
            "RFC 7515 A.6, JSON, general",
            general.to_string(),
            Reason::Form,
            "**deviation**: only the compact form is read",
        ),
        (
            "RFC 7515 A.7, JSON, flattened",
            flattened.to_string(),
            Reason::Form,
            "**deviation**: as before; also RFC 7520 4.6 to 4.8",
        ),
        (
            "RFC 7515 E, unknown `crit`",
            format!("{critical}.RkFJTA."),
            Reason::Form,
            "the RFC asks for it",
        ),
        (
            "RFC 7520 4.5, detached content",
            detached,
            Reason::Signature,
            "**deviation**: what is signed has to be in the token",
        ),
        (
            "RFC 7519 A.1, encrypted (its header and five segments)",
            format!(
                "{}.a.b.c.d",
                encode(r#"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#)
            ),
            Reason::Form,
            "**deviation**: there is no decryption (JWE), so none can be attacked",
        ),
        (
            "RFC 7519 A.2, nested (as before)",
            format!(
                "{}.a.b.c.d",
                encode(r#"{"alg":"RSA1_5","enc":"A128CBC-HS256","cty":"JWT"}"#)
            ),
            Reason::Form,
            "**deviation**: as before",
        ),
    ]
}

#[test]
fn the_examples_have_the_outcome_that_the_page_tells() {
    let mut rows = Vec::new();
    for (place, token, keys, payload) in accepted() {
        let message = jws::verify(token, &keys, Algorithm::ALL);
        let message = message.unwrap_or_else(|reason| panic!("{place}: {reason}"));
        assert_eq!(message.payload(), payload.as_bytes(), "{place}");

        // The same message with one bit of the signature changed, and by one algorithm less.
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut signature = decode(signature);
        signature[5] ^= 1;
        let forged = jws::verify(
            &format!("{input}.{}", encode(&signature)),
            &keys,
            Algorithm::ALL,
        );
        assert_eq!(forged, Err(Reason::Signature), "{place}");
        let others: Vec<_> = Algorithm::ALL
            .iter()
            .copied()
            .filter(|other| *other != message.algorithm())
            .collect();
        let outcome = jws::verify(token, &keys, &others);
        assert_eq!(outcome, Err(Reason::Algorithm), "{place}");
        rows.push([place.to_owned(), "accepted".to_owned(), String::new()]);
    }
    // The id is that of RFC 7520 3.5.
    let keys = secret("018c0ae5-4d9b-471b-bfd6-eef314bc7037", HS256_KEY);
    for (place, token, reason, why) in refused() {
        let outcome = jws::verify(&token, &keys, Algorithm::ALL);
        assert_eq!(outcome, Err(reason), "{place}");
        rows.push([place.to_owned(), "refused".to_owned(), why.to_owned()]);
    }
    rows.extend(OTHERS.iter().map(|row| row.map(ToOwned::to_owned)));
    section("rfc", &table(["example", "outcome", "why"], rows));
}

/// Examples that are no token; each has its test below.
const OTHERS: &[[&str; 3]] = &[
    [
        "RFC 7517 A.1, public keys",
        "the RSA key is taken",
        "the EC key is for encryption (`use`)",
    ],
    [
        "RFC 7517 A.2, private keys",
        "none is taken",
        "whoever reads the set could sign",
    ],
    [
        "RFC 7517 A.3, symmetric keys",
        "none is taken",
        "**deviation**: a secret is configured, never read from a document",
    ],
    [
        "RFC 7519 3.1, claims",
        "refused by a `Verifier`",
        "**deviation**: the signature is good, but there is no `aud`, no `sub`, and the type is `JWT`",
    ],
    ["RFC 7638 3.1, thumbprint", "equal", ""],
    ["RFC 8037 A.3, thumbprint", "equal", ""],
];

#[test]
fn published_keys_are_read_for_signatures_only() {
    let ec = json!({
        "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rsa = json!({
        "kty": "RSA", "n": THUMBPRINT_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    });
    let faults = |keys: Value| {
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let faults: Vec<_> = set.skipped().iter().map(|key| key.fault).collect();
        (set.len(), faults)
    };
    assert_eq!(faults(json!([ec, rsa])), (1, vec![KeyFault::Use]));

    let (mut ec, mut rsa) = (ec, rsa);
    ec["use"] = "sig".into();
    assert_eq!(faults(json!([ec])), (1, vec![]));
    ec["d"] = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE".into();
    rsa["d"] =
        "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5".into();
    let private = vec![KeyFault::Private, KeyFault::Private];
    assert_eq!(faults(json!([ec, rsa])), (0, private));

    let symmetric = json!([
        { "kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg" },
        { "kty": "oct", "k": HS256_KEY, "kid": "HMAC key used in JWS spec Appendix A.1 example" },
    ]);
    assert_eq!(
        faults(symmetric),
        (0, vec![KeyFault::Symmetric, KeyFault::Symmetric])
    );
}

#[tokio::test]
async fn claims_without_audience_are_nobodys() {
    let keys = Key::from(HmacKey::hs256("any", &Secret::new(decode(HS256_KEY))).unwrap());
    let trusted = |token_type: &str| {
        TrustedIssuer::new("joe", KeySet::new([keys.clone()]).unwrap())
            .audience("shop")
            .algorithms([Algorithm::Hs256])
            .token_type(token_type)
    };
    for (token_type, reason) in [("at+jwt", Reason::Type), ("JWT", Reason::MissingClaim)] {
        let verifier = Verifier::builder()
            .issuer(trusted(token_type))
            .clock(clock());
        let outcome = verifier.build().unwrap().verify(HS256).await;
        assert_eq!(outcome.unwrap_err().reason(), reason, "{token_type}");
    }
}

#[test]
fn thumbprints_are_those_of_the_examples() {
    let rsa = VerifyingKey::rsa(Algorithm::Rs256, &decode(THUMBPRINT_N), &[1, 0, 1]).unwrap();
    assert_eq!(
        encode(rsa.thumbprint()),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let ed25519 = VerifyingKey::ed25519(&decode(EDDSA_X)).unwrap();
    assert_eq!(
        encode(ed25519.thumbprint()),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    // Without an id of its own a key is called by it.
    assert_eq!(ed25519.id(), encode(ed25519.thumbprint()));
}
