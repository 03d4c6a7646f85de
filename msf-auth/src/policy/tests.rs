//! Policies against the laws that any reader expects of them.

use std::{collections::BTreeSet, time::SystemTime};

use http::Method;
use proptest::{
    bool, collection, option,
    prelude::{
        Just, Strategy, any as arbitrary, prop_assert, prop_assert_eq, prop_assert_ne, prop_oneof,
        proptest,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::principal::{Principal, PrincipalKind};

const NOW_S: u64 = 1_800_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S)
}

fn caller(kind: PrincipalKind, subject: &str, scope: &str) -> Principal {
    testing::caller("https://user.shop", kind, subject, scope, json!({}))
}

fn with_claims(claims: Value) -> Principal {
    testing::caller("https://user.shop", PrincipalKind::User, "7", "a", claims)
}

fn passes(policy: &Policy, claims: Value) -> bool {
    let caller = with_claims(claims);
    policy
        .decide_at(Some(&caller), &PathParams::none(), now())
        .is_allowed()
}

fn person(subject: &str, scope: &str) -> Principal {
    caller(PrincipalKind::User, subject, scope)
}

fn path_id(id: &str) -> PathParams {
    PathParams::from([("id", id)])
}

#[test]
fn a_scope_is_the_whole_word() {
    let policy = scope("orders:read");
    let none = PathParams::none();
    assert!(
        policy
            .decide(Some(&person("7", "a orders:read")), &none)
            .is_allowed()
    );
    for other in ["orders", "orders:reader", "ORDERS:READ", "", "xorders:read"] {
        assert_eq!(
            policy.decide(Some(&person("7", other)), &none),
            Decision::Forbidden(Missing::Scope("orders:read"))
        );
    }
    assert!(
        !scope("")
            .decide(Some(&person("7", " ")), &none)
            .is_allowed()
    );
}

#[test]
fn the_owner_is_a_user_with_the_subject_of_the_path() {
    let policy = owner("id");
    assert!(
        policy
            .decide(Some(&person("7", "")), &path_id("7"))
            .is_allowed()
    );
    assert_eq!(
        policy.decide(Some(&person("7", "")), &path_id("07")),
        Decision::Hidden
    );
    assert_eq!(
        policy.decide(Some(&person("7", "")), &PathParams::none()),
        Decision::Hidden
    );
    let service = caller(PrincipalKind::Service, "7", "");
    assert_eq!(
        policy.decide(Some(&service), &path_id("7")),
        Decision::Hidden
    );
    assert_eq!(
        policy.decide(None, &path_id("7")),
        Decision::Unauthenticated
    );
}

#[test]
fn a_user_who_is_called_like_a_service_is_none() {
    let policy = service("order");
    let none = PathParams::none();
    assert!(
        policy
            .decide(Some(&caller(PrincipalKind::Service, "order", "")), &none)
            .is_allowed()
    );
    assert_eq!(
        policy.decide(Some(&person("order", "")), &none),
        Decision::Forbidden(Missing::Service("order"))
    );
}

#[test]
fn a_service_is_no_other_service() {
    let payment = caller(PrincipalKind::Service, "payment", "");
    for name in ["order", "pay", "PAYMENT", ""] {
        assert_eq!(
            service(name).decide(Some(&payment), &PathParams::none()),
            Decision::Forbidden(Missing::Service(name))
        );
    }
}

#[test]
fn an_issuer_is_the_whole_text() {
    let decide = |name: &'static str| {
        let decision = issuer(name);
        let decision = decision.decide(Some(&person("7", "")), &PathParams::none());
        decision.is_allowed()
    };
    assert!(decide("https://user.shop"));
    for other in [
        "https://user.shop/",
        "https://user",
        "HTTPS://USER.SHOP",
        "",
    ] {
        assert!(!decide(other), "{other}");
    }
}

#[test]
fn who_is_neither_staff_nor_owner_learns_nothing() {
    let policy = any([scope("users:admin"), owner("id")]);
    assert!(
        policy
            .decide(Some(&person("1", "users:admin")), &path_id("7"))
            .is_allowed()
    );
    assert!(
        policy
            .decide(Some(&person("7", "")), &path_id("7"))
            .is_allowed()
    );
    assert_eq!(
        policy.decide(Some(&person("8", "")), &path_id("7")),
        Decision::Hidden
    );
}

#[test]
fn an_empty_list_lets_nobody_pass() {
    for policy in [any([]), all([])] {
        let none = PathParams::none();
        assert!(!policy.is_public());
        assert_eq!(policy.decide(None, &none), Decision::Unauthenticated);
        assert_eq!(
            policy.decide(Some(&person("7", "")), &none),
            Decision::Forbidden(Missing::Nobody)
        );
    }
}

#[test]
fn a_refusal_names_the_scope_and_nothing_else() {
    assert_eq!(Decision::Allow.refusal(), None);
    let refusal = Decision::Forbidden(Missing::Scope("a")).refusal().unwrap();
    assert_eq!(refusal.to_string(), "the scope `a` is missing");
}

#[test]
fn a_role_is_a_whole_word_of_the_list() {
    let policy = role("admin");
    assert!(passes(&policy, json!({ "roles": ["x", "admin"] })));
    assert!(passes(&policy, json!({ "roles": "admin" })));
    for claims in [
        json!({ "roles": ["administrator", "ADMIN", 7, null, ["admin"]] }),
        json!({ "roles": "x admin" }),
        json!({ "roles": { "admin": true } }),
        json!({ "role": "admin", "groups": ["admin"] }),
        json!({}),
    ] {
        assert!(!passes(&policy, claims.clone()), "{claims}");
    }
}

#[test]
fn a_claim_is_compared_with_its_type() {
    assert!(passes(&claim("plan", "gold"), json!({ "plan": "gold" })));
    assert!(passes(
        &claim("plan", "gold"),
        json!({ "plan": ["free", "gold"] })
    ));
    assert!(passes(&claim("level", 3), json!({ "level": 3 })));
    assert!(passes(
        &claim("verified", true),
        json!({ "verified": true })
    ));
    for (policy, claims) in [
        (claim("plan", "gold"), json!({ "plan": "golden" })),
        (claim("plan", "gold"), json!({ "plan": [["gold"]] })),
        (claim("plan", "gold"), json!({ "plan": { "gold": 1 } })),
        (claim("plan", ""), json!({})),
        (claim("level", 3), json!({ "level": "3" })),
        (claim("level", 3), json!({ "level": 3.5 })),
        (claim("verified", true), json!({ "verified": "true" })),
        (claim("verified", true), json!({ "verified": 1 })),
        (claim("verified", "true"), json!({ "verified": true })),
    ] {
        assert!(!passes(&policy, claims.clone()), "{policy} {claims}");
    }
}

#[test]
fn a_pointer_leads_into_a_claim() {
    let roles = json!({ "realm_access": { "roles": ["admin"] }, "a/b": { "~": "x" } });
    assert!(passes(
        &claim("/realm_access/roles", "admin"),
        roles.clone()
    ));
    assert!(passes(
        &claim("/realm_access/roles/0", "admin"),
        roles.clone()
    ));
    assert!(passes(&claim("/a~1b/~0", "x"), roles.clone()));
    for pointer in [
        "/realm_access",
        "/roles",
        "realm_access/roles",
        "/",
        "//roles",
        "/realm_access/roles/1",
    ] {
        assert!(
            !passes(&claim(pointer, "admin"), roles.clone()),
            "{pointer}"
        );
    }
}

#[test]
fn a_claim_that_has_a_policy_of_its_own_lets_nobody_pass() {
    for name in [
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "msf_kind", "",
    ] {
        let policy = claim(name, "7");
        let claims = match name {
            "jti" | "scope" => json!({ name: "7" }),
            _ => json!({}),
        };
        assert!(!passes(&policy, claims), "{name}");
        assert!(!passes(&not(policy.clone()), json!({})), "{name}");
        assert!(policy.to_string().parse::<Policy>().is_err(), "{name}");
    }
}

#[test]
fn a_tenant_is_the_one_of_the_path() {
    let policy = tenant("tenant");
    let of = |own: Value, path: &str| {
        let params = PathParams::from([("tenant", path)]);
        let caller = with_claims(own);
        policy.decide(Some(&caller), &params).is_allowed()
    };
    assert!(of(json!({ "tenant": "blue" }), "blue"));
    for (own, path) in [
        (json!({ "tenant": "blue" }), "red"),
        (json!({ "tenant": "blue" }), "BLUE"),
        (json!({}), ""),
    ] {
        assert!(!of(own.clone(), path), "{own} {path}");
    }
    let blue = with_claims(json!({ "tenant": "blue" }));
    assert_eq!(
        policy.decide(Some(&blue), &path_id("blue")),
        Decision::Hidden
    );
}

#[test]
fn a_client_a_class_and_factors_are_what_the_token_says() {
    assert!(passes(&client("web"), json!({ "client_id": "web" })));
    assert!(!passes(&client("web"), json!({ "client_id": "web2" })));
    assert!(passes(&acr("gold"), json!({ "acr": "gold" })));
    assert!(!passes(&acr("gold"), json!({ "acr": "golden" })));
    assert!(passes(&mfa(), json!({ "amr": ["pwd", "mfa"] })));
    assert!(!passes(&mfa(), json!({ "amr": ["pwd", "otp"] })));
    assert!(passes(&user(), json!({})));
    let service = caller(PrincipalKind::Service, "order", "");
    let policy = user();
    let refused = policy.decide(Some(&service), &PathParams::none());
    assert_eq!(refused, Decision::Forbidden(Missing::User));
}

#[test]
fn an_authentication_grows_old() {
    let policy = max_auth_age(Duration::from_secs(300));
    let at = |auth_time: Value| passes(&policy, json!({ "auth_time": auth_time }));
    assert!(at(json!(NOW_S)));
    assert!(at(json!(NOW_S - 300)));
    assert!(at(json!(NOW_S + 30)), "the issuer's clock may be ahead");
    for bad in [json!(NOW_S - 301), json!(NOW_S + 31), json!(0)] {
        assert!(!at(bad.clone()), "{bad}");
    }
    assert!(!passes(&policy, json!({})));
    let caller = with_claims(json!({ "auth_time": 0 }));
    let refusal = policy
        .decide_at(Some(&caller), &PathParams::none(), now())
        .refusal();
    assert_eq!(
        refusal.unwrap().challenge().unwrap(),
        r#"Bearer error="insufficient_user_authentication", max_age="300""#
    );
}

#[test]
fn what_is_not_known_lets_nobody_pass_also_under_not() {
    let ada = caller(PrincipalKind::User, "7", "a");
    let twice: PathParams = [("id", "8"), ("id", "9")].into_iter().collect();
    let unknown = [
        owner("id"),
        tenant("id"),
        max_auth_age(Duration::from_secs(1)),
        external("x"),
        all([authenticated(), owner("id")]),
        any([scope("b"), owner("id")]),
    ];
    for policy in unknown {
        for params in [PathParams::none(), twice.clone()] {
            for policy in [
                policy.clone(),
                not(policy.clone()),
                not(not(policy.clone())),
            ] {
                let decision = policy.decide_at(Some(&ada), &params, now());
                assert!(!decision.is_allowed(), "{policy} {decision}");
            }
        }
    }
    // What is known besides still counts.
    let known = any([scope("a"), external("x")]);
    assert!(known.decide(Some(&ada), &PathParams::none()).is_allowed());
    assert!(
        not(owner("id"))
            .decide(Some(&ada), &path_id("8"))
            .is_allowed()
    );
    assert_eq!(
        not(owner("id")).decide(Some(&ada), &path_id("7")),
        Decision::Forbidden(Missing::Exclusion)
    );
}

#[test]
fn an_external_decision_is_asked_for_when_nothing_else_has_decided() {
    let ada = caller(PrincipalKind::User, "7", "a");
    let ask = |policy: &Policy, answers: &[(Box<str>, Answer)]| {
        let params = PathParams::none();
        let facts = Facts {
            caller: Some(&ada),
            params: &params,
            now_s: 0,
            answers,
        };
        match policy.0.evaluate(facts) {
            Outcome::Ask(name) => Err(name.to_owned()),
            outcome => Ok(outcome.decision().is_allowed()),
        }
    };
    let asks = |name: &str| Err(name.to_owned());
    let answered = |answer| [(Box::from("x"), answer)];
    assert_eq!(ask(&external("x"), &[]), asks("x"));
    assert_eq!(ask(&external("x"), &answered(Answer::Yes)), Ok(true));
    assert_eq!(ask(&external("x"), &answered(Answer::No)), Ok(false));
    assert_eq!(ask(&external("x"), &answered(Answer::Failed)), Ok(false));
    assert_eq!(ask(&not(external("x")), &answered(Answer::No)), Ok(true));
    assert_eq!(
        ask(&not(external("x")), &answered(Answer::Failed)),
        Ok(false)
    );
    assert_eq!(ask(&any([external("x"), scope("a")]), &[]), Ok(true));
    assert_eq!(ask(&all([external("x"), scope("b")]), &[]), Ok(false));
    assert_eq!(
        ask(&all([external("x"), external("y")]), &answered(Answer::Yes)),
        asks("y")
    );
    assert_eq!(
        ask(&all([external("x"), external("y")]), &answered(Answer::No)),
        Ok(false)
    );
    assert_eq!(
        ask(&any([external("x"), external("y")]), &answered(Answer::No)),
        asks("y")
    );
    assert_eq!(
        ask(
            &any([external("x"), external("y")]),
            &answered(Answer::Failed)
        ),
        asks("y")
    );
    // A stranger is asked for credentials, and nobody else for a decision.
    let decision = external("x");
    assert_eq!(
        decision.decide(None, &PathParams::none()),
        Decision::Unauthenticated
    );
    assert_eq!(
        decision.decide(Some(&ada), &PathParams::none()),
        Decision::Undecided("x")
    );
}

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

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:/.]{1,8}",
        Just("true".to_owned()),
        Just("7".to_owned()),
        Just("-007".to_owned()),
        collection::vec(arbitrary::<char>(), 0..8).prop_map(String::from_iter),
    ]
}

fn leaves() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(public()),
        Just(authenticated()),
        Just(user()),
        Just(mfa()),
        names().prop_map(scope),
        names().prop_map(role),
        names().prop_map(issuer),
        names().prop_map(client),
        names().prop_map(owner),
        names().prop_map(tenant),
        names().prop_map(service),
        names().prop_map(acr),
        names().prop_map(external),
        arbitrary::<u32>().prop_map(|s| max_auth_age(Duration::from_secs(s.into()))),
        (names(), names()).prop_map(|(name, value)| claim(format!("c{name}"), value)),
        (names(), arbitrary::<i64>()).prop_map(|(name, value)| claim(format!("c{name}"), value)),
        (names(), bool::ANY).prop_map(|(name, value)| claim(format!("c{name}"), value)),
    ]
}

fn nested(leaf: impl Strategy<Value = Policy> + 'static) -> impl Strategy<Value = Policy> {
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(any),
            collection::vec(inner.clone(), 0..4).prop_map(all),
            inner.prop_map(not),
        ]
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    nested(prop_oneof![
        Just(public()),
        Just(authenticated()),
        Just(user()),
        Just(scope("a")),
        Just(scope("b")),
        Just(issuer("https://user.shop")),
        Just(issuer("https://other")),
        Just(owner("id")),
        Just(owner("absent")),
        Just(service("7")),
        Just(external("x")),
        Just(external("y")),
        Just(max_auth_age(Duration::from_secs(60))),
    ])
}

/// What a reader expects, written down a second time: `None` is not known.
fn expected(policy: &Node, caller: &Principal, id: &str, x: Option<bool>) -> Option<bool> {
    let of = |node: &Node| expected(node, caller, id, x);
    match policy {
        Node::Public | Node::Authenticated => Some(true),
        Node::User => Some(!caller.is_service()),
        Node::Scope(scope) => Some(caller.has_scope(scope)),
        Node::Issuer(issuer) => Some(&**issuer == "https://user.shop"),
        Node::Owner(name) if &**name == "id" => {
            Some(!caller.is_service() && caller.subject() == id)
        }
        Node::Service(name) => Some(caller.is_service() && caller.subject() == &**name),
        Node::External(name) if &**name == "x" => x,
        Node::Any(nodes) => {
            let each: BTreeSet<_> = nodes.iter().map(of).collect();
            if each.contains(&Some(true)) {
                Some(true)
            } else if each.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Node::All(nodes) if nodes.is_empty() => Some(false),
        Node::All(nodes) => {
            let each: BTreeSet<_> = nodes.iter().map(of).collect();
            if each.contains(&Some(false)) {
                Some(false)
            } else if each.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Node::Not(node) => of(node).map(|is_so| !is_so),
        _ => None,
    }
}

proptest! {
    #[test]
    fn any_and_all_mean_what_they_say(
        parts in collection::vec(policies(), 1..4),
        is_service in bool::ANY,
        is_known in bool::ANY,
        scope in "[ab ]{0,3}",
        id in "[78]",
    ) {
        let kind = if is_service { PrincipalKind::Service } else { PrincipalKind::User };
        let caller = caller(kind, "7", &scope);
        let caller = is_known.then_some(&caller);
        let params = path_id(&id);
        let each: Vec<bool> =
            parts.iter().map(|part| part.decide(caller, &params).is_allowed()).collect();
        let of = |policy: &Policy| policy.decide(caller, &params).is_allowed();
        prop_assert_eq!(of(&any(parts.clone())), each.contains(&true));
        prop_assert_eq!(of(&all(parts)), !each.contains(&false));
    }

    #[test]
    fn the_unknown_pass_where_it_is_public_and_are_asked_for_credentials_elsewhere(
        policy in policies(),
    ) {
        let expected = if policy.is_public() { Decision::Allow } else { Decision::Unauthenticated };
        prop_assert_eq!(policy.decide(None, &path_id("7")), expected);
    }

    #[test]
    fn the_known_are_never_asked_for_credentials(policy in policies(), id in "[78]") {
        let caller = person("7", "a");
        let decision = policy.decide(Some(&caller), &path_id(&id));
        prop_assert_ne!(decision, Decision::Unauthenticated);
    }

    #[test]
    fn a_policy_is_what_its_text_says(policy in nested(leaves())) {
        let text = policy.to_string();
        prop_assert_eq!(text.parse::<Policy>(), Ok(policy.clone()), "{}", text);
        prop_assert!(text.chars().all(|c| !c.is_control()));
        let json = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
    }

    #[test]
    fn no_text_hurts(text in prop_oneof![
        arbitrary::<String>(),
        r#"(any|all|not|scope|claim|max_auth_age|public|[(),"\\ a0m-]){0,24}"#,
    ]) {
        if let Ok(policy) = text.parse::<Policy>() {
            prop_assert_eq!(policy.to_string().parse::<Policy>(), Ok(policy));
        }
    }

    #[test]
    fn a_decision_is_what_a_reader_expects_and_its_explanation_says_the_same(
        policy in policies(),
        is_service in bool::ANY,
        scope in "[ab ]{0,3}",
        id in "[78]",
        x in option::of(bool::ANY),
    ) {
        let kind = if is_service { PrincipalKind::Service } else { PrincipalKind::User };
        let caller = caller(kind, "7", &scope);
        let params = path_id(&id);
        let failed = |name: &str| (Box::from(name), Answer::Failed);
        let answers = [
            x.map_or_else(|| failed("x"), |x| (Box::from("x"), if x { Answer::Yes } else { Answer::No })),
            failed("y"),
        ];
        let facts = Facts { caller: Some(&caller), params: &params, now_s: NOW_S, answers: &answers };
        let outcome = policy.0.evaluate(facts);
        let found = match outcome {
            Outcome::Yes => Some(true),
            Outcome::No(_) => Some(false),
            Outcome::Unknown(_) | Outcome::Ask(_) => None,
        };
        prop_assert_eq!(found, expected(&policy.0, &caller, &id, x));
        prop_assert_eq!(outcome.decision().is_allowed(), found == Some(true));
        let explanation = policy.explain_by(facts);
        prop_assert_eq!(explanation.decision, outcome.decision().word());
        prop_assert!(!explanation.deciding().is_empty(), "{}", explanation);
    }
}
