//! Policies against the laws that any reader expects of them.

use proptest::{
    bool, collection,
    prelude::{Just, Strategy, prop_assert_eq, prop_assert_ne, prop_oneof, proptest},
};

use super::*;
use crate::principal::{Principal, PrincipalKind};

fn caller(kind: PrincipalKind, subject: &str, scope: &str) -> Principal {
    Principal::builder("https://user.shop", subject, kind)
        .claim("scope", scope)
        .build()
        .expect("the claims have their types")
}

fn user(subject: &str, scope: &str) -> Principal {
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
            .decide(Some(&user("7", "a orders:read")), &none)
            .is_allowed()
    );
    for other in ["orders", "orders:reader", "ORDERS:READ", "", "xorders:read"] {
        assert_eq!(
            policy.decide(Some(&user("7", other)), &none),
            Decision::Forbidden(Missing::Scope("orders:read"))
        );
    }
    assert!(!scope("").decide(Some(&user("7", " ")), &none).is_allowed());
}

#[test]
fn the_owner_is_a_user_with_the_subject_of_the_path() {
    let policy = owner("id");
    assert!(
        policy
            .decide(Some(&user("7", "")), &path_id("7"))
            .is_allowed()
    );
    assert_eq!(
        policy.decide(Some(&user("7", "")), &path_id("07")),
        Decision::Hidden
    );
    assert_eq!(
        policy.decide(Some(&user("7", "")), &PathParams::none()),
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
        policy.decide(Some(&user("order", "")), &none),
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
        let decision = decision.decide(Some(&user("7", "")), &PathParams::none());
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
            .decide(Some(&user("1", "users:admin")), &path_id("7"))
            .is_allowed()
    );
    assert!(
        policy
            .decide(Some(&user("7", "")), &path_id("7"))
            .is_allowed()
    );
    assert_eq!(
        policy.decide(Some(&user("8", "")), &path_id("7")),
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
            policy.decide(Some(&user("7", "")), &none),
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

fn policies() -> impl Strategy<Value = Policy> {
    let leaf = prop_oneof![
        Just(public()),
        Just(authenticated()),
        Just(scope("a")),
        Just(scope("b")),
        Just(issuer("https://user.shop")),
        Just(issuer("https://other")),
        Just(owner("id")),
        Just(service("7")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(any),
            collection::vec(inner, 0..4).prop_map(all),
        ]
    })
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
        let caller = user("7", "a");
        let decision = policy.decide(Some(&caller), &path_id(&id));
        prop_assert_ne!(decision, Decision::Unauthenticated);
    }
}
