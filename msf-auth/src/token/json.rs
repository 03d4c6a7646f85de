//! JSON without duplicate members and without depth.
//!
//! Two parsers that differ in which of two equal members they take are how a token gets past one and means
//! something else to the other.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Deeper values are refused; no honest claim needs more.
const DEPTH_MAX: u8 = 32;

/// A JSON value in which no object has a member twice.
#[derive(Debug)]
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Depth(DEPTH_MAX).deserialize(deserializer).map(Self)
    }
}

/// How many levels may still follow.
struct Depth(u8);

impl Depth {
    fn below<E: Error>(&self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom("the JSON is nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.below()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.below()?)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

pub(super) const DUPLICATE: &str = "the JSON has a member twice";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Value, serde_json::Error> {
        serde_json::from_str(json).map(|Strict(value)| value)
    }

    #[test]
    fn a_member_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for json in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(
                parse(json).unwrap_err().to_string().contains(DUPLICATE),
                "{json}"
            );
        }
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(32)).is_ok());
        assert!(parse(&nested(33)).is_err());
    }

    #[test]
    fn other_json_is_what_serde_json_says() {
        let json = r#"{"a":[1,-2,3.5,null,true,"x\n"],"b":{}}"#;
        assert_eq!(
            parse(json).unwrap(),
            serde_json::from_str::<Value>(json).unwrap()
        );
    }
}
