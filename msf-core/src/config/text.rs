//! From text to typed values: inline TOML, as it stands in variables and flags, and parsed TOML, as
//! it stands in the file.

use std::{net::Ipv6Addr, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{
    source::Source,
    tree::{Node, Table, Value},
};

/// Reads a value written inline: `[1, 2]`, `{ a = 1 }`, or the same as JSON.
///
/// # Errors
///
/// Says what the syntax misses, without a word of the text, which may hold secrets.
pub(super) fn inline(text: &str, source: &Source) -> Result<Node, String> {
    let text = text.trim();
    let toml_error = match DeValue::parse(text) {
        Ok(value) => return from_toml(value.into_inner(), &|_| source.clone(), source.clone(), 0),
        Err(error) => error,
    };
    match serde_json::from_str(text) {
        Ok(json) => Ok(Node::from_json(json, source)),
        Err(_) => Err(toml_error.message().to_owned()),
    }
}

/// Reads a table written inline, if that is what the text is.
pub(super) fn inline_table(text: &str, source: &Source) -> Option<Node> {
    inline(text, source)
        .ok()
        .filter(|node| node.as_table().is_some())
}

/// Converts a parsed TOML table; `source_at` knows the source of every span.
///
/// # Errors
///
/// The text of the problem, if the value is nested too deeply or a number is out of all ranges.
pub(super) fn from_toml_table(
    table: DeTable<'_>,
    source_at: &dyn Fn(Range<usize>) -> Source,
    source: Source,
    depth: usize,
) -> Result<Node, String> {
    let entries = table
        .into_iter()
        .map(|(key, value)| {
            let source = source_at(key.span());
            let node = from_toml(value.into_inner(), source_at, source, depth + 1)?;
            Ok((key.into_inner().into_owned(), node))
        })
        .collect::<Result<Table, String>>()?;
    Ok(Node::new(Value::Table(entries), source))
}

fn from_toml(
    value: DeValue<'_>,
    source_at: &dyn Fn(Range<usize>) -> Source,
    source: Source,
    depth: usize,
) -> Result<Node, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "values are nested more than {MAX_DEPTH} levels deep"
        ));
    }
    let value = match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map(Value::Integer)
            .map_err(|_| "a number has too many digits".to_owned())?,
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map(Value::Float)
            .map_err(|_| "a number cannot be read".to_owned())?,
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => items
            .into_iter()
            .map(|item| {
                let source = source_at(item.span());
                from_toml(item.into_inner(), source_at, source, depth + 1)
            })
            .collect::<Result<_, _>>()
            .map(Value::List)?,
        DeValue::Table(table) => return from_toml_table(table, source_at, source, depth),
    };
    Ok(Node::new(value, source))
}

/// Reads a boolean as people write it in variables.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Reads a whole number, with `_` between digits as in TOML.
pub(super) fn integer(text: &str) -> Option<i128> {
    text.trim().replace('_', "").parse().ok()
}

/// Reads a number that is written with digits; `inf` and `nan` are words.
pub(super) fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text
        .trim_start_matches(['+', '-', '.'])
        .starts_with(|c: char| c.is_ascii_digit());
    if digits {
        text.replace('_', "").parse().ok()
    } else {
        None
    }
}

/// Whether a text is meant as a list in brackets; an IPv6 address has them, too.
pub(super) fn is_bracketed_list(text: &str) -> bool {
    let Some(rest) = text.trim_start().strip_prefix('[') else {
        return false;
    };
    let inside = rest.split(']').next().unwrap_or_default();
    inside.parse::<Ipv6Addr>().is_err()
}

/// The elements of a list without brackets: `a, b`. An empty text is an empty list.
pub(super) fn comma_separated(text: &str, source: &Source) -> Vec<Node> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',')
        .map(|part| Node::new(Value::Text(part.trim().to_owned()), source.clone()))
        .collect()
}

/// Real configuration is four levels deep; what follows a tree recursively must not overflow a
/// stack because of a hostile one.
const MAX_DEPTH: usize = 64;
