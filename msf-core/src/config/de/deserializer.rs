//! What each type that asks for a value gets.

use serde::de::{Deserializer, Visitor};

use super::{access::Variant, node::De};
use crate::config::{
    fault::Fault,
    key::quote,
    secret::{self, MARKER},
    text,
    tree::{Node, Table, Value},
};

/// Reads a whole number of the given width.
macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = match &self.node.value {
                Value::Integer(number) => Some(*number),
                Value::Text(text) => text::integer(text),
                _ => None,
            };
            match number.and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => Err(self.expected(&format!(
                    "a whole number from {} to {}", <$type>::MIN, <$type>::MAX
                ))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for De<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null | Value::Hole => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => {
                if let Ok(number) = i64::try_from(*number) {
                    visitor.visit_i64(number)
                } else if let Ok(number) = u64::try_from(*number) {
                    visitor.visit_u64(number)
                } else {
                    visitor.visit_i128(*number)
                }
            }
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => visitor.visit_str(text),
            Value::Text(text) => self.guess(text, visitor),
            Value::List(items) => self.read_list(items, visitor),
            Value::Table(table) => self.read_table(table, None, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) => text::boolean(text),
            _ => None,
        };
        match value {
            Some(value) => visitor.visit_bool(value),
            None => Err(self.expected("true or false")),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128, deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = match &self.node.value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            Value::Text(text) => text::float(text),
            _ => None,
        };
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.expected("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::String(text) | Value::Text(text) => visitor.visit_str(text),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            // The only way to take back, from the environment, what the file sets.
            Value::Text(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => visitor.visit_unit(),
            // The section `()` has no keys.
            Value::Table(table) if table.is_empty() => visitor.visit_unit(),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name != MARKER {
            return visitor.visit_newtype_struct(self);
        }
        match &self.node.value {
            Value::String(text) | Value::Text(text) => {
                let secret =
                    secret::follow(text, |name| self.pass.env.get(name)).map_err(Fault::message)?;
                visitor.visit_bytes(secret.as_bytes())
            }
            // The visitor answers every other type without looking at it.
            _ => visitor.visit_unit(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::List(items) => self.read_list(items, visitor),
            Value::Text(text) => self.read_inline_list(text, visitor),
            _ => Err(self.expected_container("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Table(table) => self.read_table(table, None, visitor),
            Value::Text(text) => self.read_inline_table(text, None, visitor),
            _ => Err(self.expected_container("a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Table(table) => self.read_table(table, Some(fields), visitor),
            Value::Text(text) => self.read_inline_table(text, Some(fields), visitor),
            _ => Err(self.expected_container("a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::String(text) => visitor.visit_enum(Variant {
                name: text,
                node: None,
                de: self,
            }),
            Value::Text(text) if text.trim_start().starts_with('{') => {
                let node = text::inline(text, &self.node.source).map_err(|error| {
                    Fault::message(format_args!(
                        "expected a table such as {{ variant = .. }}: {error}"
                    ))
                })?;
                De {
                    node: &node,
                    ..self
                }
                .deserialize_enum("", variants, visitor)
            }
            Value::Text(text) => visitor.visit_enum(Variant {
                name: text,
                node: None,
                de: self,
            }),
            Value::Table(table) => {
                let (name, node) = only_variant(table)?;
                visitor.visit_enum(Variant {
                    name,
                    node: Some(node),
                    de: self,
                })
            }
            _ => Err(self.expected(&format!("one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// The one variant of an enum. What a user chose stands beside the variant of the default, since
/// tables are merged; the choice wins.
fn only_variant(table: &Table) -> Result<(&str, &Node), Fault> {
    let mut chosen = table
        .iter()
        .filter(|(_, node)| table.len() == 1 || node.set_by().is_some());
    match (chosen.next(), chosen.next()) {
        (Some((name, node)), None) => Ok((name, node)),
        (None, _) => Err(Fault::message(
            "expected a table with one key, the choice; found none",
        )),
        (Some((one, _)), Some((other, _))) => Err(Fault::message(format_args!(
            "expected a table with one key, the choice; found both {} and {}",
            quote(one),
            quote(other)
        ))),
    }
}
