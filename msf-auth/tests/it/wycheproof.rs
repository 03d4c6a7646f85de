//! The vectors of C2SP/wycheproof for JSON Web Signature and Key; `WYCHEPROOF_DIR` says where they lie.

use std::{env, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use msf_auth::{Algorithm, HmacKey, KeySet, jws};
use msf_core::config::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::conformance::{section, table};

#[derive(Deserialize)]
struct File {
    #[serde(rename = "numberOfTests")]
    count: usize,
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    /// Missing where all keys are symmetric.
    public: Option<Value>,
    private: Value,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: String,
    result: String,
}

/// Vectors whose outcome is not what their label says, and why.
struct Deviation {
    ids: &'static [u32],
    is_accepted: bool,
    why: &'static str,
}

const SIGNATURES: &str = "json_web_signature_test.json";
const KEYS: &str = "json_web_key_test.json";

const SIGNATURE_DEVIATIONS: &[Deviation] = &[
    Deviation {
        ids: &[346, 350],
        is_accepted: false,
        why: "the key says `PS256` and the header `PS384`: one key is for one algorithm (RFC 8725 section 3.1). The \
              same figure with a key for PS384 is accepted, see RFC 7520 above",
    },
    Deviation {
        ids: &[347, 351],
        is_accepted: false,
        why: "the key says `ES521`, which is the name of no algorithm. The same figure with a key for ES512 is \
              accepted, see RFC 7520 above",
    },
    Deviation {
        ids: &[367, 370],
        is_accepted: true,
        why: "a fault of the vectors: byte for byte the token of case 357, which is labelled valid",
    },
    Deviation {
        ids: &[372, 373],
        is_accepted: false,
        why: "a fault of the vectors: a `?` stands in the token, which no base64url has",
    },
];

const KEY_DEVIATIONS: &[Deviation] = &[];

fn read(name: &str) -> File {
    let dir = env::var_os("WYCHEPROOF_DIR").expect("WYCHEPROOF_DIR is set");
    let text = fs::read(PathBuf::from(dir).join(name)).unwrap();
    let file: File = serde_json::from_slice(&text).unwrap();
    let count: usize = file.groups.iter().map(|group| group.tests.len()).sum();
    assert_eq!(count, file.count, "a vector of {name} was not read");
    file
}

/// Public keys as they would be fetched. Secrets are never read from a document, so each is configured.
fn key_set(public: Option<&Value>, private: &Value) -> Option<KeySet> {
    let members = |document: &Value| match document.get("keys") {
        Some(keys) => keys.as_array().unwrap().clone(),
        None => vec![document.clone()],
    };
    let private = members(private);
    let is_symmetric = private.iter().all(|key| key["kty"] == "oct");
    if is_symmetric {
        let keys: Option<Vec<HmacKey>> = private.iter().map(secret).collect();
        return KeySet::new(keys?).ok();
    }
    // A set of secrets and public keys has no public form: as it lies there, somebody published it.
    let published = public.map_or(private, members);
    let document = json!({ "keys": published }).to_string();
    Some(KeySet::parse(document.as_bytes()).unwrap())
}

fn secret(jwk: &Value) -> Option<HmacKey> {
    let bytes = URL_SAFE_NO_PAD.decode(jwk["k"].as_str()?).ok()?;
    let (id, secret) = (jwk["kid"].as_str()?, Secret::new(bytes));
    let key = match jwk["alg"].as_str()? {
        "HS256" => HmacKey::hs256(id, &secret),
        "HS384" => HmacKey::hs384(id, &secret),
        "HS512" => HmacKey::hs512(id, &secret),
        _ => return None,
    };
    key.ok()
}

fn is_accepted(keys: Option<&KeySet>, message: &str) -> bool {
    // All algorithms: what keeps a key from being used with another is the key.
    keys.is_some_and(|keys| jws::verify(message, keys, Algorithm::ALL).is_ok())
}

/// Runs a file; the row of the page, and a row for each deviation.
fn run(name: &str, deviations: &[Deviation]) -> ([String; 4], Vec<[String; 4]>) {
    let file = read(name);
    let (mut as_labelled, mut found) = (0, Vec::new());
    for group in &file.groups {
        let keys = key_set(group.public.as_ref(), &group.private);
        for vector in &group.tests {
            let label = match vector.result.as_str() {
                "valid" => true,
                "invalid" => false,
                other => panic!("a label that is not known: {other}"),
            };
            let outcome = is_accepted(keys.as_ref(), &vector.jws);
            if outcome == label {
                as_labelled += 1;
                continue;
            }
            let expected = deviations
                .iter()
                .any(|known| known.ids.contains(&vector.id) && known.is_accepted == outcome);
            assert!(
                expected,
                "{name} case {} ({}): labelled {}, accepted: {outcome}",
                vector.id, vector.comment, vector.result
            );
            found.push(vector.id);
        }
    }
    for known in deviations.iter().flat_map(|known| known.ids) {
        assert!(
            found.contains(known),
            "{name} case {known} deviates no more"
        );
    }
    let rows = deviations.iter().map(|known| {
        let ids: Vec<_> = known.ids.iter().map(u32::to_string).collect();
        let words = |is_valid| if is_valid { "accepted" } else { "refused" };
        [
            ids.join(", "),
            words(!known.is_accepted).to_owned(),
            words(known.is_accepted).to_owned(),
            known.why.to_owned(),
        ]
    });
    let row = [
        format!("`{name}`"),
        file.count.to_string(),
        as_labelled.to_string(),
        found.len().to_string(),
    ];
    (row, rows.collect())
}

#[test]
#[ignore = "needs WYCHEPROOF_DIR"]
fn each_vector_has_the_outcome_of_its_label_or_a_reason() {
    let (signatures, mut deviations) = run(SIGNATURES, SIGNATURE_DEVIATIONS);
    let (keys, more) = run(KEYS, KEY_DEVIATIONS);
    deviations.extend(more);
    let head = ["file", "vectors", "as labelled", "otherwise"];
    let text = format!(
        "{}\n{}",
        table(head, [signatures, keys]),
        table(["case", "label", "here", "why"], deviations)
    );
    section("wycheproof", &text);
}

#[test]
#[ignore = "needs WYCHEPROOF_DIR"]
fn the_vectors_with_a_fault_have_it() {
    let file = read(SIGNATURES);
    let message = |id| {
        let mut vectors = file.groups.iter().flat_map(|group| &group.tests);
        &vectors.find(|vector| vector.id == id).unwrap().jws
    };
    assert_eq!(message(367), message(357));
    assert_eq!(message(370), message(357));
    assert!(message(372).contains('?') && message(373).contains('?'));
}
