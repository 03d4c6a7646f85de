//! What an introspection endpoint answers (RFC 7662 section 2.2): a pure function of the body.

use serde::Deserialize;

use crate::{
    principal::Principal,
    token::json::Strict,
    verify::{Reason, VouchedFor},
};

/// Members that say what sort of token it is, by the servers that write them.
#[derive(Deserialize)]
struct Sort {
    active: bool,
    token_type: Option<String>,
    token_use: Option<String>,
    typ: Option<String>,
}

impl Sort {
    /// Servers answer about refresh tokens and ID tokens also, and those are no access tokens. What comes with DPoP
    /// (RFC 9449 section 6.2) is none that is taken without.
    fn is_access_token(&self, takes_bound: bool) -> bool {
        let is_one_of = |text: &Option<String>, words: &[&str]| {
            let is_known = |text: &String| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            text.as_ref().is_none_or(is_known)
        };
        let types = ["Bearer", "access_token", "DPoP"];
        let types = if takes_bound { &types } else { &types[..2] };
        is_one_of(&self.token_type, types)
            && is_one_of(&self.token_use, &["access", "access_token"])
            && is_one_of(
                &self.typ,
                &["Bearer", "at+jwt", "application/at+jwt", "JWT"],
            )
    }
}

pub(super) fn read(body: &[u8], vouched_for: &VouchedFor, now_s: u64) -> Result<Principal, Reason> {
    let unreadable = |_| Reason::IssuerUnavailable;
    let Strict(value) = serde_json::from_slice(body).map_err(unreadable)?;
    let sort = Sort::deserialize(value).map_err(unreadable)?;
    if !sort.active {
        return Err(Reason::Inactive);
    }
    if !sort.is_access_token(vouched_for.takes_bound()) {
        return Err(Reason::Type);
    }
    vouched_for.principal(body, now_s)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{BoundTokens, KeySet, TrustedIssuer};

    const NOW_S: u64 = 1_800_000_000;

    fn outcome(body: &str) -> Result<Principal, Reason> {
        let issuer = TrustedIssuer::new("https://id.example", KeySet::default()).audience("shop");
        let leeway = Duration::from_secs(30);
        let vouched_for = VouchedFor::new(issuer, leeway, Duration::from_secs(86_400)).unwrap();
        read(body.as_bytes(), &vouched_for, NOW_S)
    }

    fn with(name: &str, value: Value) -> Result<String, Reason> {
        let mut body = json!({
            "active": true, "iss": "https://id.example", "aud": ["shop", "x"], "sub": "7", "token_type": "Bearer",
            "exp": NOW_S + 300, "iat": NOW_S, "scope": "a b", "client_id": "web", "username": "x",
        });
        body[name] = value;
        outcome(&body.to_string()).map(|principal| principal.subject().to_owned())
    }

    #[test]
    fn an_active_token_is_its_subject() {
        assert_eq!(with("x", json!([1])), Ok("7".to_owned()));
        for (name, value) in [
            ("token_type", Value::Null),
            ("token_type", json!("bearer")),
            ("token_use", json!("access_token")),
            ("typ", json!("at+jwt")),
        ] {
            assert!(with(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_claims_are_those_of_any_token() {
        for (name, value, reason) in [
            ("active", json!(false), Reason::Inactive),
            ("iss", json!("https://id.example/"), Reason::Issuer),
            ("aud", json!("payment"), Reason::Audience),
            ("exp", json!(NOW_S - 30), Reason::Expired),
            ("nbf", json!(NOW_S + 31), Reason::NotYetValid),
            ("exp", json!(NOW_S + 86_401), Reason::Lifetime),
            ("sub", json!(""), Reason::MissingClaim),
            ("aud", json!(7), Reason::Claims),
            ("exp", json!("1"), Reason::Claims),
            ("scope", json!(["a"]), Reason::Claims),
        ] {
            let outcome = with(name, value.clone());
            assert_eq!(outcome, Err(reason), "{name}: {value}");
        }
        for name in ["iss", "aud", "exp", "sub"] {
            let body = json!({
                "active": true, "iss": "https://id.example", "aud": "shop", "sub": "7", "exp": NOW_S + 300,
            });
            let mut members = body.as_object().unwrap().clone();
            members.remove(name);
            let outcome = outcome(&Value::from(members).to_string());
            assert_eq!(outcome.unwrap_err(), Reason::MissingClaim, "{name}");
        }
    }

    #[test]
    fn a_client_that_speaks_for_itself_is_no_user() {
        assert_eq!(with("client_id", json!("7")), Err(Reason::Subject));
        let issuer = TrustedIssuer::new("https://id.example", KeySet::default()).audience("shop");
        let life = Duration::from_secs(86_400);
        let rules = VouchedFor::new(issuer.service("order"), Duration::ZERO, life).unwrap();
        let body = |subject: &str| {
            let body = json!({
                "active": true, "iss": "https://id.example", "aud": "shop", "sub": subject, "client_id": subject,
                "exp": NOW_S + 300,
            });
            body.to_string()
        };
        let order = read(body("order").as_bytes(), &rules, NOW_S).unwrap();
        assert!(order.is_service() && order.subject() == "order");
        let other = read(body("payment").as_bytes(), &rules, NOW_S);
        assert_eq!(other.unwrap_err(), Reason::Subject);
    }

    #[test]
    fn another_sort_of_token_is_no_bearer_token() {
        for (name, value) in [
            ("token_type", "refresh_token"),
            ("token_type", "DPoP"),
            ("token_use", "refresh_token"),
            ("token_use", "id"),
            ("typ", "Refresh"),
            ("typ", "ID"),
            ("typ", "logout+jwt"),
        ] {
            assert_eq!(
                with(name, json!(value)),
                Err(Reason::Type),
                "{name}: {value}"
            );
        }
        assert_eq!(with("cnf", json!({ "jkt": "x" })), Err(Reason::Bound));
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_is_taken_where_the_proof_is_checked() {
        let issuer = TrustedIssuer::new("https://id.example", KeySet::default()).audience("shop");
        let body = json!({
            "active": true, "iss": "https://id.example", "aud": "shop", "sub": "7", "exp": NOW_S + 300,
            "token_type": "DPoP", "cnf": { "jkt": "x" },
        });
        for (issuer, expected) in [
            (
                issuer.clone().bound_tokens(BoundTokens::CheckedElsewhere),
                None,
            ),
            (issuer, Some(Reason::Type)),
        ] {
            let life = Duration::from_secs(86_400);
            let rules = VouchedFor::new(issuer, Duration::ZERO, life).unwrap();
            let outcome = read(body.to_string().as_bytes(), &rules, NOW_S);
            assert_eq!(outcome.err(), expected);
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing_about_the_token() {
        for body in [
            "",
            "<html>",
            "[]",
            "null",
            "{}",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"active":false,"active":true}"#,
            r#"{"active":true,"\u0061ctive":true}"#,
        ] {
            assert_eq!(
                outcome(body).unwrap_err(),
                Reason::IssuerUnavailable,
                "{body}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_get_in(body in "[\\x00-\\x7f]{0,80}") {
            prop_assert!(outcome(&body).is_err());
        }
    }
}
