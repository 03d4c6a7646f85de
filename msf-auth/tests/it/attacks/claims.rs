//! What signed claims can say all the same.

use msf_auth::Reason;
use serde_json::json;

use super::{Row, world::World};
use crate::support::ISSUER;

pub(super) fn rows(world: &World) -> Vec<Row> {
    vec![audience(world), times(world), binding(world)]
}

fn audience(world: &World) -> Row {
    Row::new(
        16,
        "an audience or issuer that is missing, of another type, almost the right one",
    )
    .claims(
        world,
        [
            (json!({ "iss": null }), Reason::MissingClaim),
            (json!({ "iss": [ISSUER] }), Reason::Claims),
            (json!({ "iss": 1 }), Reason::Claims),
            (json!({ "iss": { ISSUER: true } }), Reason::Claims),
            (json!({ "iss": "" }), Reason::Issuer),
            (json!({ "iss": format!("{ISSUER}/") }), Reason::Issuer),
            (json!({ "iss": format!("{ISSUER}\u{0}") }), Reason::Issuer),
            (json!({ "iss": "HTTPS://user.shop" }), Reason::Issuer),
            (json!({ "iss": "https://evil.example" }), Reason::Issuer),
            (json!({ "aud": null }), Reason::MissingClaim),
            (json!({ "aud": "Shop" }), Reason::Audience),
            (json!({ "aud": "shop2" }), Reason::Audience),
            (json!({ "aud": "sho" }), Reason::Audience),
            (json!({ "aud": "shop " }), Reason::Audience),
            (json!({ "aud": "other shop" }), Reason::Audience),
            (json!({ "aud": [] }), Reason::Audience),
            (json!({ "aud": ["other"] }), Reason::Audience),
            (json!({ "aud": ["shop", 1] }), Reason::Claims),
            (json!({ "aud": [["shop"]] }), Reason::Claims),
            (json!({ "aud": 42 }), Reason::Claims),
            (json!({ "aud": true }), Reason::Claims),
            (json!({ "aud": { "shop": true } }), Reason::Claims),
        ],
    )
    .accepted(
        "one of several",
        world.with_claims(&json!({ "aud": ["other", "shop"] })),
    )
}

fn times(world: &World) -> Row {
    let now_s = world.now_s;
    let text = |more: &str| {
        let claims = format!(r#"{{"iss":"{ISSUER}","sub":"7","aud":"shop",{more}}}"#);
        world.texts(&world.keys.header().to_string(), &claims)
    };
    let changed = |change| world.with_claims(&change);
    Row::new(17, "times that are missing, of another type, out of range")
        .claims(
            world,
            [
                (json!({ "exp": null }), Reason::MissingClaim),
                (json!({ "exp": 0 }), Reason::Expired),
                (json!({ "exp": -1 }), Reason::Claims),
                (json!({ "exp": "4102444800" }), Reason::Claims),
                (json!({ "exp": [4_102_444_800_u64] }), Reason::Claims),
                (json!({ "exp": true }), Reason::Claims),
                (json!({ "exp": u64::MAX }), Reason::Claims),
                (json!({ "exp": 1e300 }), Reason::Claims),
                (json!({ "exp": 253_402_300_800_u64 }), Reason::Claims),
                (json!({ "nbf": "0" }), Reason::Claims),
                (json!({ "nbf": -1 }), Reason::Claims),
                (json!({ "iat": "0" }), Reason::Claims),
            ],
        )
        .refused(
            "exp two minutes ago",
            changed(json!({ "exp": now_s - 120 })),
            Reason::Expired,
        )
        .refused(
            "exp in a day and more",
            changed(json!({ "exp": now_s + 86_402 })),
            Reason::Lifetime,
        )
        .refused(
            "exp in ten years",
            changed(json!({ "exp": now_s + 315_360_000 })),
            Reason::Lifetime,
        )
        .refused(
            "exp in a day and more, no iat",
            changed(json!({ "iat": null, "exp": now_s + 86_500 })),
            Reason::Lifetime,
        )
        .refused(
            "nbf in two minutes",
            changed(json!({ "nbf": now_s + 120 })),
            Reason::NotYetValid,
        )
        .refused(
            "iat in two minutes",
            changed(json!({ "iat": now_s + 120 })),
            Reason::NotYetValid,
        )
        .refused("exp: null", text(r#""exp":null"#), Reason::Claims)
        .refused("exp: 1e400", text(r#""exp":1e400"#), Reason::Claims)
        .refused("exp: NaN", text(r#""exp":NaN"#), Reason::Claims)
        .refused(
            "exp: 0x7fffffff",
            text(r#""exp":0x7fffffff"#),
            Reason::Claims,
        )
        .refused(
            "exp: 04102444800",
            text(r#""exp":04102444800"#),
            Reason::Claims,
        )
        .accepted(
            "a fraction",
            world.with_claims(&json!({ "exp": now_s as f64 + 60.5 })),
        )
        .accepted("no iat", world.with_claims(&json!({ "iat": null })))
        .accepted(
            "expired within the leeway",
            world.with_claims(&json!({ "exp": now_s - 10 })),
        )
}

fn binding(world: &World) -> Row {
    // Not held against others: RFC 9449 lets a server that does not know DPoP take such a token as any other.
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    Row::new(22, "a token that is bound to a key, without its proof").own_claims(
        world,
        [
            (json!({ "cnf": { "jkt": thumbprint } }), Reason::Bound),
            (json!({ "cnf": { "x5t#S256": thumbprint } }), Reason::Bound),
            (json!({ "cnf": { "jwk": { "kty": "OKP" } } }), Reason::Bound),
            (json!({ "cnf": {} }), Reason::Bound),
            (json!({ "cnf": "none" }), Reason::Bound),
        ],
    )
}
