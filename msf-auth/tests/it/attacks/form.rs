//! Texts that two parsers could read in two ways, and texts that cost.

use std::fmt::Write as _;

use msf_auth::Reason;
use serde_json::json;

use super::{
    Row,
    world::{World, with},
};
use crate::support::encode;

pub(super) fn rows(world: &World) -> Vec<Row> {
    vec![twice(world), huge(world), alphabet(world), segments(world)]
}

fn twice(world: &World) -> Row {
    let id = world.keys.ed25519.id();
    let payload = world.claims().to_string();
    let header = |text: String| world.texts(&text, &payload);
    let open = &payload[..payload.len() - 1];
    let claims = |more: &str| {
        world.texts(
            &world.keys.header().to_string(),
            &format!("{open},{more}}}"),
        )
    };
    let row = Row::new(8, "a member twice");
    let row = [
        format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"at+jwt","kid":"{id}"}}"#),
        format!(r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{id}"}}"#),
        format!(r#"{{"alg":"EdDSA","\u0061lg":"none","typ":"at+jwt","kid":"{id}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{id}","kid":"{id}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{id}","x":1,"x":2}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{id}","x":{{"a":1,"a":2}}}}"#),
    ]
    .into_iter()
    .fold(row, |row, text| {
        let what = text.replace(id, "..");
        row.refused(what, header(text), Reason::Header)
    });
    [
        r#""aud":"shop""#,
        r#""\u0061ud":"shop""#,
        r#""sub":"8""#,
        r#""scope":"admin""#,
        r#""role":"user","role":"admin""#,
        r#""role":"user","rol\u0065":"admin""#,
        r#""realm":{"roles":[],"roles":["admin"]}"#,
    ]
    .into_iter()
    .fold(row, |row, more| {
        row.refused(more, claims(more), Reason::Claims)
    })
}

fn huge(world: &World) -> Row {
    let header = world.keys.header().to_string();
    let payload = world.claims().to_string();
    let open = &payload[..payload.len() - 1];
    let nested =
        |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let mut many = String::new();
    for member in 0..300 {
        write!(many, r#","m{member}":0"#).unwrap();
    }
    let claims = |more: String| world.texts(&header, &format!("{open}{more}}}"));
    Row::new(9, "a token that is large, deep or has many members")
        .refused("8193 bytes", "a".repeat(8_193), Reason::Size)
        .refused(
            "9 KiB in three segments",
            format!("{}.{}.c", "a".repeat(4_000), "b".repeat(5_000)),
            Reason::Size,
        )
        .refused(
            "8 KiB of claims, signed",
            world.with_claims(&json!({ "pad": "p".repeat(8_192) })),
            Reason::Size,
        )
        .refused(
            "a header of 2 KiB, signed",
            world.with_header(&json!({ "pad": "p".repeat(2_048) })),
            Reason::Size,
        )
        .refused(
            "33 arrays in one another",
            claims(format!(r#","deep":{}"#, nested("[", "]", 33))),
            Reason::Claims,
        )
        .refused(
            "33 objects in one another",
            claims(format!(r#","deep":{}"#, nested(r#"{"a":"#, "}", 33))),
            Reason::Claims,
        )
        .refused(
            "2000 brackets that do not close",
            claims(format!(r#","deep":{}"#, "[".repeat(2_000))),
            Reason::Claims,
        )
        .refused("300 members", claims(many), Reason::Claims)
}

fn alphabet(world: &World) -> Row {
    let token = world.good();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    // 64 bytes leave four bits in the last character that have to be zero.
    let last = signature.chars().last().unwrap();
    let kept = &signature[..signature.len() - 1];
    let bent = format!("{message}.{kept}{}", char::from(last as u8 + 1));
    let refused = Reason::Form;
    let spaced = |text: &str| world.texts(text, &world.claims().to_string());
    Row::new(
        13,
        "spaces, padding, another alphabet, bits that do not count",
    )
    .refused("a space before", format!(" {token}"), refused)
    .refused("a newline after", format!("{token}\n"), refused)
    .refused("a NUL after", format!("{token}\0"), refused)
    .refused("`=` after", format!("{token}="), refused)
    .refused("`==` after", format!("{token}=="), refused)
    .refused(
        "`=` in the header",
        format!("{header}=.{payload}.{signature}"),
        refused,
    )
    .refused(
        "a space in the payload",
        format!("{header}. {payload}.{signature}"),
        refused,
    )
    .refused(
        "a newline in the signature",
        format!("{message}.\n{signature}"),
        refused,
    )
    .refused(
        "`+` and `/`",
        format!("{message}.{}+/", &kept[2..]),
        refused,
    )
    .refused("bits after the last byte", bent, refused)
    .refused(
        "a character more",
        format!("{message}.{signature}A"),
        Reason::Signature,
    )
    .refused(
        "a letter that is not ASCII",
        format!("{message}.{kept}\u{e9}"),
        refused,
    )
    .refused(
        "a byte order mark before the header",
        spaced(&format!("\u{feff}{}", world.keys.header())),
        Reason::Header,
    )
    .refused(
        "text after the header",
        spaced(&format!("{} {{}}", world.keys.header())),
        Reason::Header,
    )
    .refused(
        "text after the claims",
        world.texts(
            &world.keys.header().to_string(),
            &format!("{}x", world.claims()),
        ),
        Reason::Claims,
    )
    .accepted(
        "spaces in the JSON, which are signed",
        spaced(&world.keys.header().to_string().replace(':', " : ")),
    )
}

fn segments(world: &World) -> Row {
    let token = world.good();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let changed = encode(with(world.claims(), &json!({ "sub": "8" })).to_string());
    let json = json!({ "payload": payload, "protected": header, "signature": signature });
    let refused = Reason::Form;
    Row::new(14, "segments that are missing, empty, too many, or in JSON")
        .refused("nothing", String::new(), refused)
        .refused("two dots", "..".to_owned(), refused)
        .refused("no signature", message.to_owned(), refused)
        .refused("an empty signature", format!("{message}."), refused)
        .refused(
            "an empty payload",
            format!("{header}..{signature}"),
            refused,
        )
        .refused(
            "an empty header",
            format!(".{payload}.{signature}"),
            refused,
        )
        .refused("a fourth segment", format!("{token}.{signature}"), refused)
        .refused("a fourth, empty segment", format!("{token}."), refused)
        .refused("JSON", json.to_string(), refused)
        .refused(
            "the payload of another",
            format!("{header}.{changed}.{signature}"),
            Reason::Signature,
        )
}
