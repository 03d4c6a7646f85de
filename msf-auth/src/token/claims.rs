//! The claims: known ones typed, further ones kept.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    audience::Audience,
    json::{DUPLICATE, Strict},
    numeric_date::NumericDate,
    text::Text,
};

/// The claim that says that the subject is a service.
pub(crate) const KIND_CLAIM: &str = "msf_kind";
/// Its value.
pub(crate) const KIND_SERVICE: &str = "service";

/// Further claims beyond this number are refused; it bounds the search for duplicates.
const FURTHER_MAX: usize = 64;

/// What a payload says, with every known claim of the right type.
#[derive(Default)]
pub(crate) struct Claims<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) subject: Option<Cow<'a, str>>,
    pub(crate) audience: Option<Audience<'a>>,
    pub(crate) expires_s: Option<u64>,
    pub(crate) not_before_s: Option<u64>,
    pub(crate) issued_s: Option<u64>,
    pub(crate) token_id: Option<Cow<'a, str>>,
    pub(crate) scope: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) further: Vec<(Cow<'a, str>, Value)>,
}

impl<'a> Claims<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut claims = Claims::default();
        while let Some(Text(name)) = members.next_key()? {
            match &*name {
                "iss" => text(&mut claims.issuer, &mut members)?,
                "sub" => text(&mut claims.subject, &mut members)?,
                "jti" => text(&mut claims.token_id, &mut members)?,
                "scope" => text(&mut claims.scope, &mut members)?,
                KIND_CLAIM => text(&mut claims.kind, &mut members)?,
                "exp" => date(&mut claims.expires_s, &mut members)?,
                "nbf" => date(&mut claims.not_before_s, &mut members)?,
                "iat" => date(&mut claims.issued_s, &mut members)?,
                "aud" => once(&mut claims.audience, members.next_value()?)?,
                _ => {
                    let is_known = claims.further.iter().any(|(own, _)| *own == name);
                    if is_known || claims.further.len() == FURTHER_MAX {
                        return Err(A::Error::custom(DUPLICATE));
                    }
                    let Strict(value) = members.next_value()?;
                    claims.further.push((name, value));
                }
            }
        }
        Ok(claims)
    }
}

fn text<'de, A: MapAccess<'de>>(
    slot: &mut Option<Cow<'de, str>>,
    members: &mut A,
) -> Result<(), A::Error> {
    let Text(value) = members.next_value()?;
    once(slot, value)
}

fn date<'de, A: MapAccess<'de>>(slot: &mut Option<u64>, members: &mut A) -> Result<(), A::Error> {
    let NumericDate(value) = members.next_value()?;
    once(slot, value)
}

fn once<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom(DUPLICATE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_claims_are_typed_and_others_kept() {
        let json = br#"{"iss":"i","aud":["a","b"],"exp":5,"scope":"x y","role":["r"]}"#;
        let claims = Claims::parse(json).unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("i"));
        assert!(
            claims
                .audience
                .as_ref()
                .is_some_and(|a| a.contains("b") && !a.contains("c"))
        );
        assert_eq!(claims.expires_s, Some(5));
        assert_eq!(claims.further, [("role".into(), serde_json::json!(["r"]))]);
    }

    #[test]
    fn wrong_types_and_duplicates_are_refused() {
        for json in [
            r#"{"iss":["i"]}"#,
            r#"{"iss":null}"#,
            r#"{"aud":7}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"aud":{}}"#,
            r#"{"exp":"5"}"#,
            r#"{"exp":null}"#,
            r#"{"sub":7}"#,
            r#"{"scope":["x"]}"#,
            r#"{"exp":5,"exp":5}"#,
            r#"{"aud":"a","\u0061ud":"b"}"#,
            r#"{"r":1,"r":1}"#,
            r#"{"r":{"a":1,"a":1}}"#,
            "[]",
            "\"\"",
            "{}x",
        ] {
            assert!(Claims::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
