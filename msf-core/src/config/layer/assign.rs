//! One value from a variable or a flag, and its way into the tree.

use crate::config::{
    source::Source,
    suggest, text,
    tree::{Node, Table, Value},
};

/// A key, spelled by somebody who cannot see the types, and its value as text.
#[derive(Clone)]
pub(in crate::config) struct Assignment {
    pub(in crate::config) names: Vec<String>,
    pub(in crate::config) text: String,
    pub(in crate::config) source: Source,
}

impl Assignment {
    /// Puts the text where it belongs. A name is matched with the known keys first, then with the
    /// keys that the file added; a name that matches nothing is added as it is, so that the type
    /// reports it or, if it is a map, takes it.
    pub(in crate::config) fn apply(self, tree: &mut Node, known: &Node) {
        let Self {
            names,
            text,
            source,
        } = self;
        let mut known = known.as_table();
        let mut node = tree;
        for name in names {
            expand(node);
            let name = known
                .and_then(|table| matching(table, &name))
                .or_else(|| node.as_table().and_then(|table| matching(table, &name)))
                .map_or_else(|| name.clone(), str::to_owned);
            known = known
                .and_then(|table| table.get(&name))
                .and_then(Node::as_table);
            node = node
                .table_mut(&source)
                .entry(name)
                .or_insert_with(|| Node::new(Value::Null, source.clone()));
        }
        match text::inline_table(&text, &source) {
            Some(table) if node.as_table().is_some() => node.merge(table),
            _ => *node = Node::new(Value::Text(text), source),
        }
    }
}

/// The key of the table that `name` spells.
pub(in crate::config) fn matching<'t>(table: &'t Table, name: &str) -> Option<&'t str> {
    if let Some((key, _)) = table.get_key_value(name) {
        return Some(key);
    }
    let name = suggest::fold(name);
    table
        .keys()
        .find(|key| suggest::fold(key) == name)
        .map(String::as_str)
}

/// A table that an earlier variable wrote inline becomes a table that a later one can add to.
fn expand(node: &mut Node) {
    if let Value::Text(text) = &node.value
        && let Some(table) = text::inline_table(text, &node.source)
    {
        *node = table;
    }
}

/// Real keys have four names or so.
pub(in crate::config) const MAX_NAMES: usize = 16;
