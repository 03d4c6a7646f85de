//! Reading one node: tables, lists, texts, and the words for what does not fit.

use serde::de::{Deserializer as _, Visitor};

use super::{
    access::{Entries, Items},
    pass::{At, Pass},
};
use crate::config::{
    fault::Fault,
    key::quote,
    suggest, text,
    tree::{Node, Table, Value},
};

/// Reads one node.
#[derive(Clone, Copy)]
pub(in crate::config) struct De<'a> {
    pub(super) node: &'a Node,
    pub(super) at: &'a At<'a>,
    pub(super) pass: &'a Pass<'a>,
}

impl<'a> De<'a> {
    pub(super) fn expected(&self, what: &str) -> Fault {
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
    pub(super) fn expected_container(&self, what: &str) -> Fault {
        match &self.node.value {
            Value::String(_) | Value::Text(_) => {
                Fault::message(format_args!("expected {what}, found a string"))
            }
            _ => self.expected(what),
        }
    }

    pub(super) fn read_table<'de, V: Visitor<'de>>(
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

    pub(super) fn read_list<'de, V: Visitor<'de>>(
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
    pub(super) fn read_inline_table<'de, V: Visitor<'de>>(
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

    pub(super) fn read_inline_list<'de, V: Visitor<'de>>(
        self,
        text: &str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !text::is_bracketed_list(text) {
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
    pub(super) fn guess<'de, V: Visitor<'de>>(
        self,
        text: &str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
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
