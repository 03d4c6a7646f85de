//! The tree that all layers are merged into: every value, down to the elements of lists, knows its
//! source.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    key::{Key, Step},
    secret::REDACTED,
    source::Source,
};

pub(super) type Table = BTreeMap<String, Node>;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    /// Written without a type, in a variable or a flag: the type that reads it decides what it is.
    Text(String),
    List(Vec<Node>),
    Table(Table),
    /// An element of a list that was reported and is skipped from then on; it keeps its place so
    /// that the indices of its neighbours stay those of the file.
    Hole,
}

impl Node {
    pub(super) const fn new(value: Value, source: Source) -> Self {
        Self { value, source }
    }

    pub(super) const fn table(source: Source) -> Self {
        Self::new(Value::Table(Table::new()), source)
    }

    pub(super) fn from_json(json: Json, source: &Source) -> Self {
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from))
                .map_or_else(
                    || Value::Float(number.as_f64().unwrap_or(f64::NAN)),
                    Value::Integer,
                ),
            Json::String(value) => Value::String(value),
            Json::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Self::from_json(item, source))
                    .collect(),
            ),
            Json::Object(entries) => Value::Table(
                entries
                    .into_iter()
                    .map(|(key, v)| (key, Self::from_json(v, source)))
                    .collect(),
            ),
        };
        Self::new(value, source.clone())
    }

    pub(super) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null | Value::Hole => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Integer(number) => i64::try_from(*number)
                .map(Json::from)
                .or_else(|_| u64::try_from(*number).map(Json::from))
                .unwrap_or_else(|_| Json::String(number.to_string())),
            Value::Float(number) => Json::from(*number),
            Value::String(text) | Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(table) => table
                .iter()
                .map(|(name, node)| (name.clone(), node.to_json()))
                .collect(),
        }
    }

    pub(super) const fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The entries, after whatever stood here before was replaced by an empty table.
    pub(super) fn table_mut(&mut self, source: &Source) -> &mut Table {
        if !matches!(self.value, Value::Table(_)) {
            *self = Self::table(source.clone());
        }
        match &mut self.value {
            Value::Table(table) => table,
            _ => unreachable!("the node was made a table above"),
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Table(table), Step::Name(name)) => table.get(name),
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    pub(super) fn find(&self, key: &Key) -> Option<&Self> {
        key.0.iter().try_fold(self, Self::child)
    }

    pub(super) fn find_mut(&mut self, steps: &[Step]) -> Option<&mut Self> {
        steps
            .iter()
            .try_fold(self, |node, step| match (&mut node.value, step) {
                (Value::Table(table), Step::Name(name)) => table.get_mut(name),
                (Value::List(items), Step::Index(index)) => items.get_mut(*index),
                _ => None,
            })
    }

    /// Removes a value; an element of a list becomes a hole. False if there was none.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let Some((last, parents)) = key.0.split_last() else {
            return false;
        };
        match (self.find_mut(parents).map(|parent| &mut parent.value), last) {
            (Some(Value::Table(table)), Step::Name(name)) => table.remove(name).is_some(),
            (Some(Value::List(items)), Step::Index(index)) => {
                items.get_mut(*index).is_some_and(|item| {
                    !matches!(std::mem::replace(&mut item.value, Value::Hole), Value::Hole)
                })
            }
            _ => false,
        }
    }

    /// Lays `over` on top: tables are merged key by key, everything else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(below), Value::Table(above)) => {
                self.source = over.source;
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => drop(below.insert(key, node)),
                    }
                }
            }
            (_, value) => *self = Self::new(value, over.source),
        }
    }

    /// The source of this value, or of the first value inside that somebody set.
    pub(super) fn set_by(&self) -> Option<&Source> {
        if !self.source.is_default() {
            return Some(&self.source);
        }
        match &self.value {
            Value::Table(table) => table.values().find_map(Self::set_by),
            Value::List(items) => items.iter().find_map(Self::set_by),
            _ => None,
        }
    }

    /// Where the value at `key` came from: its own source, or that of the variable, flag or list
    /// that contains it. What a table does not mention was filled in by its type.
    pub(super) fn source_of(&self, key: &Key) -> Source {
        let mut node = self;
        for step in &key.0 {
            match node.child(step) {
                Some(child) => node = child,
                None if matches!(node.value, Value::Table(_) | Value::Null) => {
                    return Source::Default;
                }
                None => break,
            }
        }
        node.set_by().cloned().unwrap_or(Source::Default)
    }

    /// Takes out every secret, and every list that contains one.
    ///
    /// A default secret was serialized as a placeholder, which must never be read back as the
    /// secret; left out, it is filled in by `#[serde(default)]`.
    pub(super) fn without_secrets(mut self) -> Self {
        self.drop_secrets();
        self
    }

    fn drop_secrets(&mut self) {
        if let Value::Table(table) = &mut self.value {
            table.retain(|_, node| !node.holds_secret());
            table.values_mut().for_each(Self::drop_secrets);
        }
    }

    fn holds_secret(&self) -> bool {
        match &self.value {
            Value::String(text) => text == REDACTED,
            Value::List(items) => items
                .iter()
                .any(|item| item.holds_secret() || item.table_holds_secret()),
            _ => false,
        }
    }

    fn table_holds_secret(&self) -> bool {
        self.as_table().is_some_and(|table| {
            table
                .values()
                .any(|node| node.holds_secret() || node.table_holds_secret())
        })
    }
}
