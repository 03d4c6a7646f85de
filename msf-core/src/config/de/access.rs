//! Going from a table, a list or an enum to what is inside.

use serde::de::{
    DeserializeSeed, Deserializer as _, EnumAccess, Error as _, IntoDeserializer as _, MapAccess,
    SeqAccess, VariantAccess, Visitor, value::StrDeserializer,
};

use super::{map_key::MapKey, node::De, pass::At};
use crate::config::{
    fault::Fault,
    key::quote,
    tree::{Node, Value},
};

/// The entries of a table: the name for the type, the name in the tree, and the value.
pub(super) struct Entries<'a> {
    pub(super) entries: std::vec::IntoIter<(&'a str, &'a str, &'a Node)>,
    pub(super) value: Option<(&'a str, &'a Node)>,
    pub(super) de: De<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((field, name, node)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((name, node));
        let key = seed.deserialize(MapKey(field));
        key.map(Some)
            .map_err(|fault| fault.at(|| self.de.at.key().name(name)))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (name, node) = self
            .value
            .take()
            .ok_or_else(|| Fault::message("a value was read before its key"))?;
        let at = At::Name(self.de.at, name);
        seed.deserialize(De {
            node,
            at: &at,
            pass: self.de.pass,
        })
        .map_err(|fault| fault.at(|| at.key()))
    }
}

/// The elements of a list that are still there.
pub(super) struct Items<'a> {
    pub(super) items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    pub(super) de: De<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some((index, node)) = self
            .items
            .find(|(_, node)| !matches!(node.value, Value::Hole))
        else {
            return Ok(None);
        };
        let at = At::Index(self.de.at, index);
        let value = seed.deserialize(De {
            node,
            at: &at,
            pass: self.de.pass,
        });
        value.map(Some).map_err(|fault| fault.at(|| at.key()))
    }
}

/// A variant of an enum, by its name, with its value if it was written as a table.
pub(super) struct Variant<'a> {
    pub(super) name: &'a str,
    pub(super) node: Option<&'a Node>,
    pub(super) de: De<'a>,
}

impl<'a> Variant<'a> {
    fn read<T>(self, read: impl FnOnce(De<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let Some(node) = self.node else {
            return Err(Fault::message(format_args!(
                "expected a table such as {{ {} = .. }}, found the name alone",
                quote(self.name)
            )));
        };
        let at = At::Name(self.de.at, self.name);
        read(De {
            node,
            at: &at,
            pass: self.de.pass,
        })
        .map_err(|fault| fault.at(|| at.key()))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.node.map(|node| &node.value) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Table(table)) if table.is_empty() => Ok(()),
            Some(_) => Err(Fault::custom(format_args!(
                "{} has no settings",
                quote(self.name)
            ))),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        self.read(|de| seed.deserialize(de))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read(|de| de.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read(|de| de.deserialize_struct("", fields, visitor))
    }
}
