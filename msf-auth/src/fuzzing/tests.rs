//! A bounded run of each, on texts that are nearly right.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::*;

const CASES: u32 = 400;

/// Pieces of JSON that headers and claims are made of, with the traps among them.
fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "-1",
            "1e3",
            "1E400",
            "1e-400",
            "0.5",
            "01",
            "1.",
            ".5",
            "+1",
            "1800000000",
            "1800000900",
            "1799999999.5",
            "253402300799",
            "253402300800",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
            "0x10",
            "NaN",
            "Infinity",
            "\"\"",
            "\"shop\"",
            "\"https://user.shop\"",
            "\"HS256\"",
            "\"at+jwt\"",
            "\"a\"",
            "\"\\u0061\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\x\"",
            "\"\\\"",
            "\"a\u{0}\"",
            "\"\u{e9}\"",
            "\"\\\u{e9}\"",
            "\"orders:read  a\"",
            "\"tab\t\"",
            "",
            " ",
            "[",
            "]",
            "{",
            "}",
            "{}",
            "[]",
        ])
        .prop_map(ToOwned::to_owned),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "\\PC{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = "[a-c]".prop_map(|name| format!("\"{name}\""));
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((name, inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn json_object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => select(names).prop_map(|name| format!("\"{name}\"")),
        1 => select(names).prop_map(|name| format!("\"\\u{:04x}{}\"", u32::from(name.as_bytes()[0]), &name[1..])),
        1 => "\"[a-z]{0,3}\"",
    ];
    vec((name, json_value()), 0..8).prop_map(|members| object(&members))
}

/// A text in which a few bytes are others, gone, or there twice.
fn bent(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..4_u8);
    (text, vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (place, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    })
}

const HEADER: &[&str] = &[
    "alg", "typ", "kid", "crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c", "x5t",
];
const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "sid",
    "client_id",
    "msf_kind",
    "acr",
    "amr",
    "act",
    "auth_time",
    "role",
];
/// Well-formed, with its checksum; of nobody.
const API_KEY: &str = "msf_live_abcdefgh234567zz_a2b3c4d5e6f7ghijklmnopqrstuvwxyzfcmit4w";
const GOOD_HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt","kid":"a"}"#;
const GOOD_CLAIMS: &str = r#"{"iss":"https://user.shop","sub":"7","aud":["shop"],"exp":1800000900,"iat":1800000000,"scope":"a b","jti":"1"}"#;
const GOOD_KEYS: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","use":"sig","key_ops":["verify"],"alg":"EdDSA"}"#;
const GOOD_EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn policy_text() -> impl Strategy<Value = String> {
    let word = select(vec![
        "public",
        "authenticated",
        "user",
        "mfa",
        "scope(orders:read)",
        "scope(\"a b\")",
        "role(admin)",
        "owner(id)",
        "tenant(id)",
        "service(order)",
        "issuer(\"https://id.example\")",
        "client(c)",
        "acr(1)",
        "claim(a, true)",
        "claim(\"a,b\", \"\\\"\")",
        "claim(a, 7)",
        "max_auth_age(5m)",
        "max_auth_age(0s)",
        "external(x)",
        "any()",
        "all()",
        "any",
        "not",
        "scope()",
        "scope(",
        ")",
        ",",
        "",
        "max_auth_age(99999999999999999999d)",
    ])
    .prop_map(ToOwned::to_owned);
    word.prop_recursive(5, 24, 4, |inner| {
        (
            select(vec!["any", "all", "not"]),
            vec(inner, 0..4),
            select(vec![", ", ",", " ,\n"]),
        )
            .prop_map(|(name, parts, separator)| format!("{name}({})", parts.join(separator)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn headers(data in bent(json_object(HEADER)), good in bent(Just(GOOD_HEADER.to_owned()))) {
        header(&data);
        header(&good);
    }

    #[test]
    fn claim_sets(data in bent(json_object(CLAIMS)), good in bent(Just(GOOD_CLAIMS.to_owned()))) {
        claims(&data);
        claims(&good);
    }

    #[test]
    fn values(data in bent(json_value())) {
        numeric_date(&data);
        claims(&[br#"{"aud":"#, &*data, br#","iss":"a"}"#].concat());
    }

    #[test]
    fn key_sets(
        data in bent(Just(format!(r#"{{"keys":[{GOOD_KEYS},{GOOD_EC}]}}"#))),
        one in bent(select(vec![GOOD_KEYS, GOOD_EC]).prop_map(ToOwned::to_owned)),
    ) {
        key_set(&data);
        key(&one);
    }

    #[test]
    fn policies(data in bent(policy_text()), text in policy_text()) {
        policy(&data);
        policy(text.as_bytes());
    }

    #[test]
    fn texts(data in vec(any::<u8>(), 0..64), parts in "[A-Za-z0-9_=.-]{0,40}", scheme in "(?i:bearer) {0,2}[ -~]{0,20}") {
        for data in [&*data, parts.as_bytes(), scheme.as_bytes()] {
            compact(data);
            bearer(data);
            token(data);
        }
    }

    #[test]
    fn api_keys(data in bent(Just(API_KEY.to_owned())), text in "msf_[a-z0-9]{1,3}_[a-z2-7]{16}_[a-z2-7]{39}") {
        api_key(&data);
        api_key(text.as_bytes());
        api_key(API_KEY.as_bytes());
    }

    #[test]
    fn signed_tokens(
        header in bent(Just(GOOD_HEADER.to_owned())),
        claims in prop_oneof![bent(Just(GOOD_CLAIMS.to_owned())), bent(json_object(CLAIMS))],
    ) {
        signed(&[header, vec![0], claims.clone()].concat());
        signed(&[GOOD_HEADER.as_bytes(), b"\0", &*claims].concat());
    }
}

#[test]
fn the_good_ones_are_accepted() {
    // Otherwise the oracles would have nothing to look at.
    for (text, run) in [
        (GOOD_HEADER.to_owned(), header as fn(&[u8])),
        (GOOD_CLAIMS.to_owned(), claims),
        (GOOD_KEYS.to_owned(), key),
        (GOOD_EC.to_owned(), key),
        (format!("{GOOD_HEADER}\0{GOOD_CLAIMS}"), signed),
    ] {
        run(text.as_bytes());
    }
    assert!(crate::api_key::text::parse(API_KEY).is_some());
    assert!(crate::token::Header::parse(GOOD_HEADER.as_bytes()).is_ok());
    assert!(crate::token::Claims::parse(GOOD_CLAIMS).is_ok());
    let keys = format!(r#"{{"keys":[{GOOD_KEYS},{GOOD_EC}]}}"#);
    assert_eq!(
        crate::keys::KeySet::parse(keys.as_bytes()).unwrap().len(),
        2
    );
}
