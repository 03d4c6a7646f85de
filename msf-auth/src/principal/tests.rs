//! What a principal tells of its claims.

use serde_json::json;

use super::*;
use crate::verify::Reason;

fn builder() -> PrincipalBuilder {
    Principal::builder("https://user.shop", "7", PrincipalKind::User)
}

#[test]
fn what_is_said_about_a_caller_can_be_read() {
    let caller = builder()
        .claim("sid", "s")
        .claim("client_id", "shop-web")
        .claim("auth_time", 5)
        .claim("iat", 6)
        .claim("exp", 7)
        .claim("acr", "2")
        .claim("amr", json!(["pwd", "otp"]))
        .claim("act", json!({ "sub": "a", "act": { "sub": "b" } }))
        .claim("tid", "north")
        .claim("scope", "x  y")
        .tenant_claim("tid")
        .key_id("k")
        .build()
        .unwrap();
    assert_eq!(
        (caller.subject(), caller.issuer()),
        ("7", "https://user.shop")
    );
    assert_eq!(caller.session_id(), Some("s"));
    assert_eq!(caller.client_id(), Some("shop-web"));
    assert_eq!(caller.authenticated_at(), Some(at(5)));
    assert_eq!(caller.issued_at(), Some(at(6)));
    assert_eq!(caller.expires_at(), at(7));
    assert_eq!(caller.acr(), Some("2"));
    assert!(caller.amr().eq(["pwd", "otp"]));
    assert_eq!(caller.tenant(), Some("north"));
    assert_eq!(caller.key_id(), Some("k"));
    assert!(caller.scopes().eq(["x", "y"]));
    let actors: Vec<_> = caller
        .actor()
        .unwrap()
        .chain()
        .map(Actor::subject)
        .collect();
    assert_eq!(actors, [Some("a"), Some("b")]);
    assert_eq!(caller.claim("exp"), Some(&json!(7)));
    assert_eq!(caller.claim("none"), None);
}

#[test]
fn escaped_strings_are_what_they_say() {
    let caller = builder()
        .claim("sid", "a\"b\n")
        .claim("x\\y", "é\u{1f600}")
        .build()
        .unwrap();
    assert_eq!(caller.session_id(), Some("a\"b\n"));
    assert_eq!(caller.claim("x\\y").unwrap(), "é\u{1f600}");
    let quoted = Principal::builder("i", "a\\b", PrincipalKind::User)
        .build()
        .unwrap();
    assert_eq!(quoted.subject(), "a\\b");
}

#[test]
fn a_claim_of_the_wrong_type_is_refused() {
    for (name, value) in [
        ("sid", json!(1)),
        ("tenant", json!(1)),
        ("exp", json!("soon")),
        ("act", json!([])),
    ] {
        assert_eq!(
            builder().claim(name, value).build().unwrap_err(),
            Reason::Claims,
            "{name}"
        );
    }
    let nobody = Principal::builder("i", "", PrincipalKind::User);
    assert_eq!(nobody.build().unwrap_err(), Reason::MissingClaim);
}

#[test]
fn issuer_and_subject_cannot_be_overwritten() {
    let caller = builder()
        .claim("sub", "8")
        .claim("iss", "other")
        .build()
        .unwrap();
    assert_eq!(
        (caller.subject(), caller.issuer()),
        ("7", "https://user.shop")
    );
    assert_eq!(caller.claim("iss").unwrap(), "https://user.shop");
}

#[test]
fn claims_that_do_not_fit_say_where_and_not_what() {
    #[derive(Debug, Deserialize)]
    struct Wanted {
        #[expect(dead_code, reason = "it never fits")]
        region: u8,
    }
    let caller = builder()
        .claim("region", "hunter2-hunter2")
        .build()
        .unwrap();
    let error = caller.claims::<Wanted>().unwrap_err();
    let said = format!("{error:?} {error}");
    assert!(
        said.contains("column") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn asking_for_a_claim_changes_nothing_that_is_compared() {
    let (one, other) = (
        builder().claim("a", 1).build().unwrap(),
        builder().claim("a", 1).build().unwrap(),
    );
    assert_eq!(one.claim("a"), Some(&json!(1)));
    assert_eq!(one, other);
    assert_ne!(one, builder().claim("a", 2).build().unwrap());
}

#[test]
fn the_debug_form_has_no_further_claims() {
    let caller = builder()
        .claim("email", "hunter2@example.org")
        .build()
        .unwrap();
    assert!(!format!("{caller:?}").contains("hunter2"));
}
