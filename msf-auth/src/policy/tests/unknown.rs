//! What cannot be known lets nobody pass, whichever way round it is asked.

use super::*;

fn outcome(policy: &Policy, claims: Value, params: &PathParams) -> bool {
    let caller = with_claims(claims);
    policy.decide_at(Some(&caller), params, now()).is_allowed()
}

#[test]
fn a_pointer_is_no_way_round_the_policies_of_claims() {
    let service = caller(PrincipalKind::Service, "7", "a");
    for (name, value) in [
        ("/sub", "7"),
        ("/iss", "https://user.shop"),
        ("/scope", "a"),
        ("/", "7"),
    ] {
        for policy in [claim(name, value), not(claim(name, "another"))] {
            for caller in [&service, &person("7", "a")] {
                let decision = policy.decide(Some(caller), &PathParams::none());
                assert!(!decision.is_allowed(), "{policy}");
            }
            assert!(policy.to_string().parse::<Policy>().is_err(), "{policy}");
        }
    }
    assert!("claim(/aud/0, shop)".parse::<Policy>().is_err());
    assert!("claim(/subject, 7)".parse::<Policy>().is_ok());
}

#[test]
fn a_claim_of_another_type_excludes_and_includes_nobody() {
    let none = PathParams::none();
    for (policy, claims) in [
        (role("guest"), json!({ "roles": { "guest": true } })),
        (role("guest"), json!({ "roles": ["admin", ["guest"]] })),
        (role("guest"), json!({ "roles": 7 })),
        (claim("level", 3), json!({ "level": "3" })),
        (claim("level", 3), json!({ "level": 3.0 })),
        (claim("blocked", true), json!({ "blocked": "true" })),
        (claim("plan", "free"), json!({ "plan": { "free": 1 } })),
        (claim("plan", "free"), json!({ "plan": ["gold", 7] })),
    ] {
        assert!(
            !outcome(&policy, claims.clone(), &none),
            "{policy} {claims}"
        );
        let excluded = not(policy.clone());
        assert!(
            !outcome(&excluded, claims.clone(), &none),
            "{excluded} {claims}"
        );
    }
    // What is absent, or of the right type and different, is known.
    for claims in [
        json!({}),
        json!({ "roles": null }),
        json!({ "roles": [] }),
        json!({ "roles": ["admin"] }),
    ] {
        assert!(
            outcome(&not(role("guest")), claims.clone(), &none),
            "{claims}"
        );
    }
    assert!(outcome(
        &not(claim("level", 3)),
        json!({ "level": 4 }),
        &none
    ));
}

#[test]
fn who_is_excluded_by_a_name_is_so_however_it_is_written() {
    let approve = all([scope("a"), not(owner("id"))]);
    for (written, passes) in [
        ("8", true),
        ("17", true),
        ("7", false),
        ("07", false),
        ("+7", false),
        ("+007", false),
    ] {
        assert_eq!(
            outcome(&approve, json!({}), &path_id(written)),
            passes,
            "{written}"
        );
        assert_eq!(
            outcome(&owner("id"), json!({}), &path_id(written)),
            written == "7"
        );
    }
    let other = not(tenant("id"));
    let of = |tenant: &str, path| outcome(&other, json!({ "tenant": tenant }), &path_id(path));
    assert!(of("blue", "red"));
    assert!(!of("blue", "BLUE") && !of("blue", "blue") && !of("ab-1f", "AB-1F"));
}

#[test]
fn the_empty_text_is_no_tenant() {
    let policy = tenant("id");
    assert!(!outcome(&policy, json!({ "tenant": "" }), &path_id("")));
    assert!(!outcome(&policy, json!({}), &path_id("")));
}

#[test]
fn a_part_that_nobody_passes_does_not_change_what_a_caller_is_told() {
    let none = PathParams::none();
    let ada = person("7", "a");
    let decide = |policy: Policy| policy.decide(Some(&ada), &none).word();
    for nested in [[any([]), mfa()], [mfa(), any([])]] {
        // Another factor would help here, and not there.
        assert_eq!(decide(any(nested.clone())), "step_up");
        assert_eq!(decide(all(nested)), "forbidden");
    }
}
