//! What each policy says about a caller.

mod laws;
mod text;
mod unknown;

use std::time::SystemTime;

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
fn one_subject_of_two_issuers_is_two_owners() {
    let seven = |issuer: &str| {
        let seven = Principal::builder(issuer, "7", PrincipalKind::User);
        seven.among_several_issuers().build().unwrap()
    };
    let (ours, theirs) = (seven("https://user.shop"), seven("https://partner"));
    let decide = |policy: &Policy, caller: &Principal, id: &str| {
        let decision = policy.decide(Some(caller), &path_id(id));
        decision.is_allowed()
    };
    let (bare, of_ours) = (owner("id"), owner_of("https://user.shop", "id"));
    for caller in [&ours, &theirs] {
        // Whose 7 is not known: neither passes, under `not` either. That it is no 8 is.
        assert!(!decide(&bare, caller, "7"));
        assert!(!decide(&not(bare.clone()), caller, "7"));
        assert!(decide(&not(bare.clone()), caller, "8"));
    }
    assert!(decide(&of_ours, &ours, "7") && !decide(&of_ours, &ours, "8"));
    assert!(!decide(&of_ours, &theirs, "7"));
    assert!(decide(&not(of_ours.clone()), &theirs, "7"));
    assert!(!decide(&not(of_ours), &ours, "7"));
    let service = Principal::builder("https://user.shop", "7", PrincipalKind::Service);
    let service = service.build().unwrap();
    assert!(!decide(&owner_of("https://user.shop", "id"), &service, "7"));
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
