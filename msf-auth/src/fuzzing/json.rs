//! JSON as serde_json has it, for comparison.

use serde_json::Value;

use crate::token::json::Strict;

/// A value in which no object has a member twice, by the parser that builds a tree.
pub(super) fn strict(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok().map(|Strict(value)| value)
}

/// Levels of arrays and objects.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Members of all objects.
pub(super) fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(inner) => inner.len() + inner.values().map(members).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Whether no limit is near.
pub(super) fn is_small(value: &Value) -> bool {
    depth(value) <= 24 && members(value) <= 128
}
