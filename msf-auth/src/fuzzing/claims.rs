//! The claims of a token.

use serde_json::Value;

use super::json;
use crate::token::{Claims, MAX_S};

/// The claims say what serde_json reads, and are refused for their form or types only.
///
/// # Panics
///
/// When that is not so.
pub fn claims(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let tree = json::strict(data);
    match Claims::parse(text) {
        Ok(claims) => {
            let tree = tree.expect("claims that are taken are strict JSON");
            agree(&claims, &tree);
        }
        Err(_) => assert!(
            !tree.is_some_and(|tree| is_good(&tree)),
            "honest claims are taken"
        ),
    }
}

/// A number as a time; any text in place of it is refused.
///
/// # Panics
///
/// When a time is taken that serde_json reads as another.
pub fn numeric_date(data: &[u8]) {
    claims(&[br#"{"exp":"#, data, b"}"].concat());
}

fn agree(claims: &Claims<'_>, tree: &Value) {
    let members = tree
        .as_object()
        .expect("claims that are taken are an object");
    for (name, date) in [
        ("exp", claims.expires_s),
        ("nbf", claims.not_before_s),
        ("iat", claims.issued_s),
        ("auth_time", claims.authenticated_s),
    ] {
        assert_eq!(
            date,
            members
                .get(name)
                .map(|value| seconds(value).expect("a time")),
            "{name}"
        );
    }
    for (name, text) in [
        ("iss", claims.issuer),
        ("sub", claims.subject),
        ("jti", claims.token_id),
        ("scope", claims.scope),
        ("sid", claims.session_id),
        ("client_id", claims.client_id),
    ] {
        let said = text.map(|text| claims.text(text));
        let read = members
            .get(name)
            .map(|value| value.as_str().expect("a string"));
        assert_eq!(said.as_deref(), read, "{name}");
    }
    assert_eq!(claims.members.len(), members.len());
    for name in members.keys() {
        assert!(
            claims.member(name).is_some(),
            "a member is found by its name"
        );
    }
    if let Some(raw) = claims.audience {
        let read = audiences(&members["aud"]).expect("strings");
        for audience in read.iter().chain(&["shop", ""]) {
            assert_eq!(
                claims.has(raw, audience),
                read.contains(audience),
                "{audience}"
            );
        }
    }
}

/// Whole seconds, by way of the tree.
fn seconds(value: &Value) -> Option<u64> {
    let number = value.as_number()?;
    if let Some(seconds) = number.as_u64() {
        return (seconds <= MAX_S).then_some(seconds);
    }
    let seconds = number.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the range is checked, and the fraction is meant to go"
    )]
    (0.0..=MAX_S as f64)
        .contains(&seconds)
        .then_some(seconds as u64)
}

fn audiences(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(audience) => Some(vec![audience]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Whether nothing is wrong with claims.
fn is_good(tree: &Value) -> bool {
    let Some(members) = tree.as_object() else {
        return false;
    };
    json::is_small(tree)
        && members.iter().all(|(name, value)| match name.as_str() {
            "iss" | "sub" | "jti" | "scope" | "sid" | "client_id" | "msf_kind" | "acr" => {
                value.is_string()
            }
            "exp" | "nbf" | "iat" | "auth_time" => seconds(value).is_some(),
            "aud" => audiences(value).is_some(),
            "amr" => value.is_array() && audiences(value).is_some(),
            "act" => value.is_object(),
            _ => true,
        })
}
