//! The keys of maps: texts in every layer, even where a map is keyed by numbers.

use serde::{
    de::{Deserializer, IntoDeserializer as _, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

use crate::config::{fault::Fault, text};

/// Reads one key.
pub(super) struct MapKey<'a>(pub(super) &'a str);

impl MapKey<'_> {
    fn number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        let number = text::integer(self.0);
        if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
            visitor.visit_i64(number)
        } else if let Some(number) = number.and_then(|number| u64::try_from(number).ok()) {
            visitor.visit_u64(number)
        } else {
            visitor.visit_str(self.0)
        }
    }
}

/// Small widths go through the wide one; the visitor checks the range.
macro_rules! numbers {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.number(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for MapKey<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    numbers! {
        deserialize_i8, deserialize_i16, deserialize_i32, deserialize_i64,
        deserialize_u8, deserialize_u16, deserialize_u32, deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => visitor.visit_str(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let key: StrDeserializer<'_, Fault> = self.0.into_deserializer();
        key.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
