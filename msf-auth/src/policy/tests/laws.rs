//! Policies against the laws that any reader expects of them.

use std::collections::BTreeSet;

use proptest::{
    bool, collection, option,
    prelude::{
        Just, Strategy, any as arbitrary, prop_assert, prop_assert_eq, prop_assert_ne, prop_oneof,
        proptest,
    },
};

use super::*;

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
        Just(owner_of("https://user.shop", "id")),
        Just(owner_of("https://other", "id")),
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
        Node::Owner(name, issuer) if &**name == "id" => {
            let is_of_issuer = issuer
                .as_deref()
                .is_none_or(|own| own == "https://user.shop");
            Some(is_of_issuer && !caller.is_service() && caller.subject() == id)
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
