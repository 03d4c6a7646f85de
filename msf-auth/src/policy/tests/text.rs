//! Policies as texts, in files, and explained.

use http::Method;
use serde::Deserialize;

use super::*;

#[test]
fn texts_that_are_no_policies_say_where_and_why() {
    for (text, column, expected) in [
        ("", 1, "public"),
        ("publik", 1, "public"),
        ("Public", 1, "public"),
        ("public()", 7, "the end"),
        ("scope", 6, "`(`"),
        ("scope()", 7, "a name"),
        ("scope(a", 8, "`)`"),
        ("scope(a b)", 9, "`)`"),
        ("scope(a, b)", 8, "`)`"),
        ("any(scope(a) scope(b))", 14, "`,` or `)`"),
        ("any(scope(a),)", 14, "public"),
        ("not()", 5, "public"),
        ("not(public, public)", 11, "`)`"),
        ("scope(\"a)", 10, "`\"`"),
        (r#"scope("\x")"#, 8, "`\\\"`"),
        (r#"scope("\u{d800}")"#, 8, "`\\\"`"),
        (r#"scope("\u{+61}")"#, 8, "`\\\"`"),
        ("scope(\"a\nb\")", 9, "control"),
        ("owner()", 7, "a name"),
        ("owner(id,)", 10, "a name"),
        ("owner(id, a, b)", 12, "`)`"),
        ("claim(a, 007)", 10, "without leading zeros"),
        ("claim(a, 99999999999999999999)", 10, "64 bits"),
        ("claim(sub, 7)", 7, "no other policy"),
        ("max_auth_age(5)", 14, "a duration"),
        ("max_auth_age(-5m)", 14, "a duration"),
        ("max_auth_age(99999999999999999d)", 14, "a duration"),
        ("public ä", 8, "the end"),
        ("any(public))", 12, "the end"),
    ] {
        let error = text.parse::<Policy>().unwrap_err();
        assert_eq!(error.column(), column, "{text}: {error}");
        assert!(error.expected().contains(expected), "{text}: {error}");
    }
}

#[test]
fn hostile_texts_are_refused_in_bounded_space() {
    let nested = |depth: usize| format!("{}public{}", "not(".repeat(depth), ")".repeat(depth));
    assert!(nested(16).parse::<Policy>().is_ok());
    assert!(nested(17).parse::<Policy>().is_err());
    assert!("any(".repeat(2_000).parse::<Policy>().is_err());
    let wide = |count: usize| format!("any({})", vec!["mfa"; count].join(","));
    assert!(wide(255).parse::<Policy>().is_ok());
    assert!(wide(256).parse::<Policy>().is_err());
    assert!(
        format!("scope({})", "a".repeat(9_000))
            .parse::<Policy>()
            .is_err()
    );
    let forged = "scope(\"\u{202e}\n\")".parse::<Policy>();
    assert!(forged.unwrap_err().to_string().is_ascii());
    let shown = scope("a\u{202e}\n\u{7f}").to_string();
    assert_eq!(shown, r#"scope("a\u{202e}\u{a}\u{7f}")"#);
}

#[derive(Deserialize)]
struct File {
    policy: Policy,
}

fn from_toml(text: &str) -> Result<Policy, String> {
    let file = toml::from_str(text).map(|File { policy }| policy);
    file.map_err(|error| error.to_string())
}

#[test]
fn a_file_may_have_tables() {
    let policy = r#"policy = { any = ["scope(a)", { all = ["user", { not = "role(guest)" }] }] }"#;
    assert_eq!(
        from_toml(policy).unwrap().to_string(),
        "any(scope(a), all(user, not(role(guest))))"
    );
    for text in [
        "policy = {}",
        "policy = []",
        "policy = 7",
        r#"policy = { none = ["user"] }"#,
        r#"policy = { any = ["user"], all = ["user"] }"#,
        r#"policy = { any = "user" }"#,
        r#"policy = { not = ["user"] }"#,
        r#"policy = { any = ["scop(a)"] }"#,
    ] {
        assert!(from_toml(text).is_err(), "{text}");
    }
    assert!(
        from_toml(r#"policy = "any(a)""#)
            .unwrap_err()
            .contains("column 5")
    );
}

#[test]
fn tables_and_texts_have_one_budget() {
    let nested = |tables: usize, text: &str| {
        let open = "{ not = ".repeat(tables);
        from_toml(&format!("policy = {open}{text}{}", " }".repeat(tables)))
    };
    assert!(nested(15, r#""not(user)""#).is_ok());
    assert!(nested(16, r#""not(user)""#).is_err());
    let list = |count| {
        format!(
            "policy = {{ any = [{}] }}",
            vec![r#""user""#; count].join(",")
        )
    };
    assert!(from_toml(&list(255)).is_ok());
    assert!(from_toml(&list(256)).is_err());
}

#[test]
fn a_list_has_no_unknown_keys_and_nothing_twice() {
    for (text, expected) in [
        ("", "routes"),
        ("[routes]", "empty"),
        ("[routes.\"/a\"]", "empty"),
        ("[route.\"/a\"]\nGET = \"user\"", "unknown field"),
        ("[routes.\"a\"]\nGET = \"user\"", "begins with `/`"),
        ("[routes.\"/a\"]\nget = \"user\"", "upper case"),
        (
            "[routes.\"/a\"]\nGET = \"user\"\nGET = \"public\"",
            "duplicate",
        ),
        ("[routes.\"/a\"]\nGET = \"usr\"", "column 1"),
        ("[routes.\"/a\"]\nGET = 7", "a policy"),
    ] {
        let error = Policies::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let twice = r#"{"routes":{"/a":{"GET":"user","GET":"public"}}}"#;
    assert!(serde_json::from_str::<Policies>(twice).is_err());
    assert!(Policies::from_toml(&"#".repeat(2 << 20)).is_err());
}

#[test]
fn head_is_as_get_and_the_star_is_for_the_rest() {
    let text = "[routes.\"/a\"]\nGET = \"scope(get)\"\n\"*\" = \"scope(rest)\"\n\
                [routes.\"/b\"]\nGET = \"user\"\nHEAD = \"mfa\"";
    let policies = Policies::from_toml(text).unwrap();
    let of = |path, method| policies.find(path, &method).map(ToString::to_string);
    assert_eq!(of("/a", Method::HEAD).unwrap(), "scope(get)");
    assert_eq!(of("/a", Method::POST).unwrap(), "scope(rest)");
    assert_eq!(of("/b", Method::HEAD).unwrap(), "mfa");
    assert_eq!(of("/b", Method::POST), None);
    assert_eq!(of("/a/", Method::GET), None);
    assert_eq!(policies.iter().count(), 4);
}

#[test]
fn an_explanation_names_the_leaves_that_decided() {
    let policy = all([user(), any([scope("b"), owner("id")]), not(role("guest"))]);
    let ada = caller(PrincipalKind::User, "7", "a");
    let allowed = policy.explain(Some(&ada), &path_id("7"));
    assert_eq!(allowed.decision, "allowed");
    assert_eq!(allowed.deciding(), ["user", "owner(id)", "role(guest)"]);
    let refused = policy.explain(Some(&ada), &path_id("8"));
    assert_eq!(refused.deciding(), ["owner(id)"]);
    assert_eq!(
        refused.to_string(),
        "no: all (not the owner)\n\
         \x20 yes: user\n\
         \x20 no: any (not the owner)\n\
         \x20   no: scope(b) (needs scope(b))\n\
         \x20   no: owner(id) (not the owner) <- decided\n\
         \x20 yes: not\n\
         \x20   no: role(guest) (needs role(guest))\n"
    );
    let json = serde_json::to_value(&refused).unwrap();
    assert_eq!(json["root"]["parts"][1]["parts"][1]["is_deciding"], true);
    let empty = any([]);
    assert_eq!(
        empty.explain(Some(&ada), &PathParams::none()).deciding(),
        ["any"]
    );
}
