//! Key sets that somebody poisoned: the bad key goes, the others stay.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::RSA_PKCS1_SHA256,
};
use msf_auth::{Algorithm, KeyFault, KeySet, Reason, VerifyingKey, jws};
use serde_json::{Value, json};

use super::{
    Case, Row,
    world::{World, with},
};
use crate::support::{decode, encode, es256, hs256, signed};

/// A set with one bad key, a token by that key, and what is said of the key.
struct Poisoned {
    what: String,
    keys: Value,
    token: String,
    fault: KeyFault,
}

fn jwk(key: &VerifyingKey) -> Value {
    let document = KeySet::new([key.clone()]).unwrap().to_json();
    serde_json::from_str::<Value>(&document).unwrap()["keys"][0].clone()
}

fn poisoned(world: &World) -> Vec<Poisoned> {
    let payload = world.claims().to_string();
    let ed = jwk(&world.keys.ed25519.verifying_key());
    let es = jwk(&world.keys.es256.verifying_key());
    let rs = jwk(&world.rs256);
    let by_ed = |kid: &str| world.texts(&world.header("EdDSA", kid), &payload);
    let by_es = |kid: &str| {
        signed(
            &world.header("ES256", kid),
            &payload,
            es256(&world.keys.es256),
        )
    };
    let by_rs = |kid: &str| {
        signed(
            &world.header("RS256", kid),
            &payload,
            world.rsa(&RSA_PKCS1_SHA256),
        )
    };
    let one =
        |what: &str, base: &Value, change: Value, token: &dyn Fn(&str) -> String, fault| Poisoned {
            what: what.to_owned(),
            keys: json!([with(with(base.clone(), &json!({ "kid": "bad" })), &change)]),
            token: token("bad"),
            fault,
        };
    let secret = [9; 32];
    let by_secret = |kid: &str| signed(&world.header("HS256", kid), &payload, hs256(&secret));
    let oct = json!({ "kty": "oct", "k": encode(secret), "alg": "HS256" });
    let mut rows = vec![
        one(
            "a secret (oct)",
            &oct,
            json!({}),
            &by_secret,
            KeyFault::Symmetric,
        ),
        one(
            "a secret without alg",
            &oct,
            json!({ "alg": null }),
            &by_secret,
            KeyFault::Symmetric,
        ),
        one(
            "an empty secret",
            &oct,
            json!({ "k": "" }),
            &|kid| signed(&world.header("HS256", kid), &payload, hs256(b"")),
            KeyFault::Symmetric,
        ),
        one(
            "for encryption (use)",
            &ed,
            json!({ "use": "enc" }),
            &by_ed,
            KeyFault::Use,
        ),
        one(
            "for encryption (use), RSA",
            &rs,
            json!({ "use": "enc" }),
            &by_rs,
            KeyFault::Use,
        ),
        one(
            "for encryption (key_ops)",
            &es,
            json!({ "use": null, "key_ops": ["deriveKey"] }),
            &by_es,
            KeyFault::Use,
        ),
        one(
            "alg of another type",
            &es,
            json!({ "alg": "RS256" }),
            &by_es,
            KeyFault::Algorithm,
        ),
        one(
            "alg that is none",
            &ed,
            json!({ "alg": "none" }),
            &by_ed,
            KeyFault::Algorithm,
        ),
        one(
            "alg of another curve",
            &es,
            json!({ "alg": "ES384" }),
            &by_es,
            KeyFault::Algorithm,
        ),
        one(
            "alg for encryption",
            &rs,
            json!({ "alg": "RSA-OAEP" }),
            &by_rs,
            KeyFault::Algorithm,
        ),
        one(
            "another curve",
            &es,
            json!({ "crv": "P-384", "alg": null }),
            &by_es,
            KeyFault::Point,
        ),
        one(
            "a curve for agreement",
            &ed,
            json!({ "crv": "X25519", "alg": null }),
            &by_ed,
            KeyFault::Unsupported,
        ),
        one(
            "off the curve",
            &es,
            json!({ "y": es["x"].clone() }),
            &by_es,
            KeyFault::Point,
        ),
        one(
            "an unknown type",
            &ed,
            json!({ "kty": "AKP" }),
            &by_ed,
            KeyFault::Unsupported,
        ),
        one(
            "an id of 300 characters",
            &ed,
            json!({ "kid": "k".repeat(300) }),
            &|_| by_ed(&"k".repeat(300)),
            KeyFault::Id,
        ),
        one(
            "e = 1",
            &rs,
            json!({ "e": "AQ" }),
            &|kid| {
                signed(&world.header("RS256", kid), &payload, |message| {
                    unpadded(message)
                })
            },
            KeyFault::Exponent,
        ),
        small_rsa(world, &payload),
    ];
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        rows.push(one(
            &format!("with a private part, {name}"),
            &rs,
            json!({ name: "AQAB" }),
            &by_rs,
            KeyFault::Private,
        ));
    }
    let bad = |base: &Value| with(base.clone(), &json!({ "kid": "bad" }));
    rows.push(Poisoned {
        what: "two keys of one id".to_owned(),
        keys: json!([bad(&ed), bad(&es)]),
        token: by_ed("bad"),
        fault: KeyFault::Duplicate,
    });
    rows
}

/// With the exponent 1 a signature is the padded hash itself (RFC 8017 section 9.2): nobody needs a key.
fn unpadded(message: &[u8]) -> Vec<u8> {
    const SHA256_INFO: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let hash = digest(&SHA256, message);
    let tail = [&[0], SHA256_INFO.as_slice(), hash.as_ref()].concat();
    let padding = vec![0xff; 256 - 2 - tail.len()];
    [&[0, 1], padding.as_slice(), tail.as_slice()].concat()
}

/// The library makes none of 1024 bits, so the modulus is that of a key of 2048 bits, cut in half.
fn small_rsa(world: &World, payload: &str) -> Poisoned {
    let mut rs = jwk(&world.rs256);
    let mut n = decode(rs["n"].as_str().unwrap());
    n.truncate(127);
    n.push(0xff);
    rs["n"] = encode(n).into();
    rs["kid"] = "bad".into();
    Poisoned {
        what: "RSA with 1024 bits".to_owned(),
        keys: json!([rs]),
        token: signed(&world.header("RS256", "bad"), payload, |_| vec![1; 128]),
        fault: KeyFault::Modulus,
    }
}

pub(super) fn row(world: &World) -> Row {
    let mut row = Row::new(
        18,
        "a bad key in the published set, and a token by that key",
    );
    for bad in poisoned(world) {
        row.cases.push(Case {
            what: bad.what,
            token: bad.token,
            reason: Some(Reason::UnknownKey),
            document: Some(json!({ "keys": bad.keys }).to_string()),
            is_ours: false,
        });
    }
    row
}

#[test]
fn a_bad_key_goes_and_a_good_one_stays() {
    let world = World::new();
    let good = jwk(&world.keys.ed25519.verifying_key());
    for bad in poisoned(&world) {
        let what = &bad.what;
        let mut keys = bad.keys.clone();
        keys.as_array_mut().unwrap().push(good.clone());
        let document = json!({ "keys": keys }).to_string();
        let set = KeySet::parse(document.as_bytes()).unwrap();
        let faults: Vec<_> = set.skipped().iter().map(|key| key.fault).collect();
        assert!(
            !faults.is_empty() && faults.iter().all(|fault| *fault == bad.fault),
            "{what}: {faults:?}"
        );
        assert_eq!(set.len(), 1, "{what}");
        let outcome = jws::verify(&world.good(), &set, Algorithm::ALL);
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
        let outcome = jws::verify(&bad.token, &set, Algorithm::ALL);
        let reason = if bad.fault == KeyFault::Id {
            Reason::KeyId
        } else {
            Reason::UnknownKey
        };
        assert_eq!(outcome.unwrap_err(), reason, "{what}");
    }
}
