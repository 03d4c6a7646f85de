//! What else a header can say.

use msf_auth::Reason;
use serde_json::{Value, json};

use super::{Row, world::World};
use crate::support::{Keyring, ed25519, encode, signed};

pub(super) fn rows(world: &World) -> Vec<Row> {
    vec![
        key_id(world),
        key_of_the_sender(world),
        encrypted(world),
        critical(world),
        other_tokens(world),
    ]
}

fn key_id(world: &World) -> Row {
    let kid = |kid: &str| json!({ "kid": kid });
    Row::new(4, "a key id that is a path, a query, a command")
        .headers(
            world,
            [
                (kid("../../../../dev/null"), Reason::UnknownKey),
                (kid("x' UNION SELECT 'secret"), Reason::UnknownKey),
                (kid("; sleep 9 #"), Reason::UnknownKey),
                (kid("https://evil.example/keys"), Reason::UnknownKey),
                (kid("a\r\nb"), Reason::KeyId),
                (kid("a\u{0}"), Reason::KeyId),
                (kid("\u{43a}\u{43b}\u{44e}\u{447}"), Reason::KeyId),
                (kid(""), Reason::KeyId),
                (json!({ "kid": null }), Reason::UnknownKey),
                (json!({ "kid": 7 }), Reason::Header),
            ],
        )
        .refused(
            "a kid of 257 characters",
            world.with_header(&kid(&"k".repeat(257))),
            Reason::KeyId,
        )
}

fn key_of_the_sender(world: &World) -> Row {
    let evil = Keyring::generate();
    let jwk: Value = serde_json::from_str(
        &msf_auth::KeySet::new([evil.ed25519.verifying_key()])
            .unwrap()
            .to_json(),
    )
    .unwrap();
    let jwk = &jwk["keys"][0];
    let mut embedded = evil.header();
    embedded["jwk"] = jwk.clone();
    let own = signed(
        &embedded.to_string(),
        &world.claims().to_string(),
        ed25519(&evil.ed25519),
    );
    let refused = |header: Value| (header, Reason::HeaderMember);
    Row::new(5, "a key, or the place of one, in the header")
        .refused("a jwk, and signed with it", own, Reason::HeaderMember)
        .headers(
            world,
            [
                refused(json!({ "jku": "https://evil.example/keys" })),
                refused(json!({ "jku": "http://169.254.169.254/" })),
                refused(json!({ "x5u": "https://evil.example/cert" })),
                refused(json!({ "x5c": [] })),
                refused(json!({ "x5c": ["MIIB"] })),
                refused(json!({ "jwk": {} })),
            ],
        )
}

fn encrypted(world: &World) -> Row {
    let parts = |header: &str| format!("{}.a.b.c.d", encode(header));
    let inner = world.good();
    Row::new(10, "compression, encryption, a token in a token")
        .headers(
            world,
            [
                (json!({ "zip": "DEF" }), Reason::HeaderMember),
                (json!({ "enc": "A256GCM" }), Reason::HeaderMember),
                (
                    json!({ "enc": "A256GCM", "alg": "dir" }),
                    Reason::HeaderMember,
                ),
                (json!({ "cty": "JWT" }), Reason::HeaderMember),
            ],
        )
        .refused(
            "the payload is a token",
            world.texts(&world.keys.header().to_string(), &inner),
            Reason::Claims,
        )
        .refused(
            "five parts, PBES2 with 2^31 rounds",
            parts(r#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647,"p2s":"AAAA"}"#),
            Reason::Form,
        )
        .refused(
            "five parts, dir",
            parts(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#),
            Reason::Form,
        )
}

fn critical(world: &World) -> Row {
    let refused = |header: Value| (header, Reason::HeaderMember);
    Row::new(11, "`crit` and `b64`")
        .headers(
            world,
            [
                refused(json!({ "crit": ["urn:example:unknown"], "urn:example:unknown": 1 })),
                refused(json!({ "crit": ["exp"] })),
                refused(json!({ "crit": [] })),
                refused(json!({ "crit": "b64" })),
                refused(json!({ "crit": [7] })),
                refused(json!({ "crit": {} })),
                refused(json!({ "b64": false, "crit": ["b64"] })),
                refused(json!({ "b64": false })),
                refused(json!({ "b64": true })),
            ],
        )
        .refused(
            "crit: null",
            world.texts(
                &format!(
                    r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}","crit":null}}"#,
                    world.keys.ed25519.id()
                ),
                &world.claims().to_string(),
            ),
            Reason::HeaderMember,
        )
}

fn other_tokens(world: &World) -> Row {
    let refused = |header: Value| (header, Reason::Type);
    Row::new(
        15,
        "another kind of token of the same issuer, another kind of subject",
    )
    .headers(
        world,
        [
            refused(json!({ "typ": null })),
            refused(json!({ "typ": "JWT" })),
            refused(json!({ "typ": "logout+jwt" })),
            refused(json!({ "typ": "dpop+jwt" })),
            refused(json!({ "typ": "msf-int+jwt" })),
            refused(json!({ "typ": "secevent+jwt" })),
            refused(json!({ "typ": "at+jwt " })),
            refused(json!({ "typ": "application/" })),
            refused(json!({ "typ": "x/at+jwt" })),
            (json!({ "typ": 1 }), Reason::Header),
            (json!({ "typ": ["at+jwt"] }), Reason::Header),
        ],
    )
    .own_claims(
        world,
        [
            (json!({ "msf_kind": "service" }), Reason::Subject),
            (
                json!({ "msf_kind": "service", "sub": "order" }),
                Reason::Subject,
            ),
            (json!({ "msf_kind": "admin" }), Reason::Subject),
            (json!({ "msf_kind": true }), Reason::Claims),
        ],
    )
    .claims(
        world,
        [
            (json!({ "sub": null }), Reason::MissingClaim),
            (json!({ "sub": "" }), Reason::MissingClaim),
            (json!({ "sub": 7 }), Reason::Claims),
            (json!({ "act": "another" }), Reason::Claims),
        ],
    )
    .accepted(
        "application/AT+JWT",
        world.with_header(&json!({ "typ": "application/AT+JWT" })),
    )
}
