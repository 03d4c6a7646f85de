//! The algorithm that a token chooses.

use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256};
use msf_auth::Reason;
use serde_json::json;

use super::{Row, world::World};
use crate::support::{SECRET, encode, es256, hs256, signed};

/// Tokens of each of the other keys with nothing wrong.
pub(super) fn good(world: &World) -> Vec<String> {
    let payload = world.claims().to_string();
    let es = world.keys.es256.id();
    vec![
        signed(
            &world.header("ES256", es),
            &payload,
            es256(&world.keys.es256),
        ),
        signed(
            &world.header("RS256", world.rs256.id()),
            &payload,
            world.rsa(&RSA_PKCS1_SHA256),
        ),
        signed(&world.header("HS256", "hmac"), &payload, hs256(&SECRET)),
    ]
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    vec![none(world), secret_for_public(world), same_family(world)]
}

fn none(world: &World) -> Row {
    let unsigned = |alg: &str| {
        let header = world.header(alg, world.keys.ed25519.id());
        format!("{}.{}.", encode(header), encode(world.claims().to_string()))
    };
    let names = ["none", "None", "NONE", "nOnE"];
    let row = names.into_iter().fold(
        Row::new(1, "`none`, and other values of `alg`"),
        |row, name| row.refused(format!("{name}, unsigned"), unsigned(name), Reason::Form),
    );
    row.headers(
        world,
        [
            (json!({ "alg": "none" }), Reason::Algorithm),
            (json!({ "alg": "NoNe" }), Reason::Algorithm),
            (json!({ "alg": "" }), Reason::Algorithm),
            (json!({ "alg": null }), Reason::Algorithm),
            (json!({ "alg": ["EdDSA"] }), Reason::Header),
            (json!({ "alg": 7 }), Reason::Header),
            (json!({ "alg": { "EdDSA": true } }), Reason::Header),
            (json!({ "alg": "eddsa" }), Reason::Algorithm),
            (json!({ "alg": "EdDSA " }), Reason::Algorithm),
            (json!({ "alg": "Ed448" }), Reason::Algorithm),
        ],
    )
}

fn secret_for_public(world: &World) -> Row {
    let payload = world.claims().to_string();
    let mut row = Row::new(2, "a public key for a secret");
    let ids = [
        ("Ed25519", world.keys.ed25519.verifying_key()),
        ("P-256", world.keys.es256.verifying_key()),
        ("RSA", world.rs256.clone()),
    ];
    for (name, key) in ids {
        let der = key.to_spki_der();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der)
        );
        let secrets = [
            ("its DER", der.clone()),
            ("its PEM", pem.clone().into_bytes()),
            ("its PEM after spaces", format!(" \n{pem}").into_bytes()),
            ("the key set", world.document.clone().into_bytes()),
            ("the bytes of the key", der[der.len() - 32..].to_vec()),
            ("nothing", Vec::new()),
        ];
        for (what, secret) in secrets {
            let header = world.header("HS256", key.id());
            let token = signed(&header, &payload, hs256(&secret));
            row = row.refused(
                format!("HS256 by {what}, {name}"),
                token,
                Reason::KeyAlgorithm,
            );
        }
    }
    row
}

fn same_family(world: &World) -> Row {
    let payload = world.claims().to_string();
    let (ed, es) = (world.keys.ed25519.id(), world.keys.es256.id());
    let rs = world.rs256.id();
    let by_rsa =
        |alg: &str, encoding| signed(&world.header(alg, rs), &payload, world.rsa(encoding));
    Row::new(3, "another algorithm than that of the key")
        .refused(
            "PS256 by a key for RS256",
            by_rsa("PS256", &RSA_PSS_SHA256),
            Reason::Algorithm,
        )
        .refused(
            "RS384 by a key for RS256",
            by_rsa("RS384", &RSA_PKCS1_SHA384),
            Reason::Algorithm,
        )
        .refused(
            "RS256, signed as PS256",
            by_rsa("RS256", &RSA_PSS_SHA256),
            Reason::Signature,
        )
        .refused(
            "ES384 by a key for ES256",
            signed(
                &world.header("ES384", es),
                &payload,
                es256(&world.keys.es256),
            ),
            Reason::Algorithm,
        )
        .refused(
            "EdDSA, the key of ES256",
            world.texts(&world.header("EdDSA", es), &payload),
            Reason::KeyAlgorithm,
        )
        .refused(
            "ES256, the key of EdDSA",
            signed(
                &world.header("ES256", ed),
                &payload,
                es256(&world.keys.es256),
            ),
            Reason::KeyAlgorithm,
        )
        .refused(
            "RS256, the key of EdDSA",
            signed(
                &world.header("RS256", ed),
                &payload,
                world.rsa(&RSA_PKCS1_SHA256),
            ),
            Reason::KeyAlgorithm,
        )
}
