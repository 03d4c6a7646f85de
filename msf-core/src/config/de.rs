//! A serde deserializer over the merged tree.
//!
//! Writing our own buys four things. Text from variables and flags is converted by the type that
//! asks for it, so `MSF__NAME=007` stays a string where a string is wanted. Unknown keys of a
//! struct are noted and stepped over, so that all of them are reported and no type needs
//! `deny_unknown_fields`. Every error knows its key. And secrets are followed in the environment
//! the loader was given.

use std::{cell::RefCell, collections::BTreeMap};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _, MapAccess,
    SeqAccess, VariantAccess, Visitor, value::StrDeserializer,
};

use super::{
    env::Environment,
    fault::Fault,
    key::{Key, Step, quote},
    map_key::MapKey,
    secret::{self, MARKER},
    suggest, text,
    tree::{Node, Table, Value},
};

/// What one pass over the tree is given and what it notes besides the value.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) env: &'a Environment,
    /// Texts that are strings, whatever they look like.
    pub(super) strings: &'a [Key],
    /// Texts that nobody asked for by type and that were taken for a boolean or a number.
    pub(super) guessed: RefCell<Vec<Key>>,
    /// Keys that no field answers to, with the fields there are.
    pub(super) unknown: RefCell<BTreeMap<Key, &'static [&'static str]>>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(env: &'a Environment, strings: &'a [Key]) -> Self {
        Self {
            env,
            strings,
            guessed: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    pub(super) const fn over<'t>(&'t self, tree: &'t Node) -> De<'t> {
        De {
            node: tree,
            at: &At::Root,
            pass: self,
        }
    }
}

/// The way from the root to the value being read, kept on the stack.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Name(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    fn key(&self) -> Key {
        let mut steps = Vec::new();
        let mut at = self;
        loop {
            match at {
                At::Root => break,
                At::Name(parent, name) => {
                    steps.push(Step::Name((*name).to_owned()));
                    at = parent;
                }
                At::Index(parent, index) => {
                    steps.push(Step::Index(*index));
                    at = parent;
                }
            }
        }
        steps.reverse();
        Key(steps)
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct De<'a> {
    node: &'a Node,
    at: &'a At<'a>,
    pass: &'a Pass<'a>,
}

impl<'a> De<'a> {
    fn expected(&self, what: &str) -> Fault {
        let found = match &self.node.value {
            Value::Null | Value::Hole => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::String(text) | Value::Text(text) => quote(text),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        };
        Fault::message(format_args!("expected {what}, found {found}"))
    }

    /// As [`expected`](Self::expected), but without the text: what stands in the place of a table
    /// or a list may be a secret that belongs inside.
    fn expected_container(&self, what: &str) -> Fault {
        match &self.node.value {
            Value::String(_) | Value::Text(_) => {
                Fault::message(format_args!("expected {what}, found a string"))
            }
            _ => self.expected(what),
        }
    }

    fn read_table<'de, V: Visitor<'de>>(
        self,
        table: &Table,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries = match fields {
            None => table
                .iter()
                .map(|(name, node)| (name.as_str(), name.as_str(), node))
                .collect(),
            Some(fields) => self.known_entries(table, fields),
        };
        visitor.visit_map(Entries {
            entries: entries.into_iter(),
            value: None,
            de: self,
        })
    }

    /// The entries that a field answers to, with the name of the field; notes the others.
    fn known_entries<'t>(
        &self,
        table: &'t Table,
        fields: &'static [&'static str],
    ) -> Vec<(&'t str, &'t str, &'t Node)> {
        let mut known = Vec::with_capacity(table.len());
        for (name, node) in table {
            if fields.contains(&name.as_str()) {
                known.push((name.as_str(), name.as_str(), node));
                continue;
            }
            // A field that is absent from the defaults could not be matched when the variable was
            // read, and no variable can spell `certFile`.
            let spelled = |field: &&&str| suggest::fold(field) == suggest::fold(name);
            match fields.iter().find(spelled) {
                Some(field) if !node.source.is_file() && !table.contains_key(*field) => {
                    known.push((*field, name.as_str(), node));
                }
                // A field that is serialized but never read is no mistake of the user's.
                _ if node.set_by().is_none() => {}
                _ => drop(
                    self.pass
                        .unknown
                        .borrow_mut()
                        .insert(self.at.key().name(name), fields),
                ),
            }
        }
        known
    }

    fn read_list<'de, V: Visitor<'de>>(
        self,
        items: &[Node],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_seq(Items {
            items: items.iter().enumerate(),
            de: self,
        })
    }

    /// Reads the table that a text spells inline.
    fn read_inline_table<'de, V: Visitor<'de>>(
        self,
        text: &str,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let expected = "a table such as { key = \"value\" }";
        if !text.trim_start().starts_with('{') {
            return Err(self.expected_container(expected));
        }
        let node = text::inline(text, &self.node.source)
            .map_err(|error| Fault::message(format_args!("expected {expected}: {error}")))?;
        match &node.value {
            Value::Table(table) => self.read_table(table, fields, visitor),
            _ => Err(self.expected_container(expected)),
        }
    }

    fn read_inline_list<'de, V: Visitor<'de>>(
        self,
        text: &str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !text.trim_start().starts_with('[') {
            let items = text::comma_separated(text, &self.node.source);
            return self.read_list(&items, visitor);
        }
        let expected = "a list such as [1, 2] or 1,2";
        let node = text::inline(text, &self.node.source)
            .map_err(|error| Fault::message(format_args!("expected {expected}: {error}")))?;
        match &node.value {
            Value::List(items) => self.read_list(items, visitor),
            _ => Err(self.expected_container(expected)),
        }
    }

    /// Takes a text for the narrowest type that it looks like.
    fn guess<'de, V: Visitor<'de>>(self, text: &str, visitor: V) -> Result<V::Value, Fault> {
        let key = self.at.key();
        if self.pass.strings.contains(&key) {
            return visitor.visit_str(text);
        }
        let guess = match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => text::integer(text)
                .map(Value::Integer)
                .or_else(|| text::float(text).map(Value::Float)),
        };
        match guess {
            None => visitor.visit_str(text),
            Some(value) => {
                self.pass.guessed.borrow_mut().push(key);
                let node = Node::new(value, self.node.source.clone());
                De {
                    node: &node,
                    ..self
                }
                .deserialize_any(visitor)
            }
        }
    }
}

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

/// The entries of a table: the name for the type, the name in the tree, and the value.
struct Entries<'a> {
    entries: std::vec::IntoIter<(&'a str, &'a str, &'a Node)>,
    value: Option<(&'a str, &'a Node)>,
    de: De<'a>,
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
struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    de: De<'a>,
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
struct Variant<'a> {
    name: &'a str,
    node: Option<&'a Node>,
    de: De<'a>,
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
