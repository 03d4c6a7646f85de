//! From a record to a line.

use std::{fmt, io::Write as _};

use super::{
    AccessRecord,
    field::{Field, Value},
};

/// How a line looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Template(Box<[Piece]>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Box<str>),
    Field(Field),
}

/// A template of an access line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// A name that is no field.
    #[error("`{name}` is no field of an access line{}", did_you_mean(.nearest.as_deref()))]
    UnknownField {
        /// What was written.
        name: String,
        /// The field that is spelled most alike.
        nearest: Option<String>,
    },
    /// A brace without its other half; `{{` and `}}` are the characters themselves.
    #[error(
        "a brace at byte {at} has no other half; write `{{{{` or `}}}}` for the character itself"
    )]
    Brace {
        /// Where.
        at: usize,
    },
    /// A template without any field, or with a line break.
    #[error("a template has at least one field and no line break")]
    Empty,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl Format {
    pub(super) fn template(text: &str) -> Result<Self, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        let at = |rest: &str| text.len() - rest.len();
        while let Some(index) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(index);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                literal.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let name_on = from
                .strip_prefix('{')
                .ok_or_else(|| InvalidTemplate::Brace { at: at(from) })?;
            let (name, after) = name_on
                .split_once('}')
                .filter(|(name, _)| !name.contains('{'))
                .ok_or_else(|| InvalidTemplate::Brace { at: at(from) })?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Field(field(name)?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.into()));
        }
        let has_field = pieces.iter().any(|piece| matches!(piece, Piece::Field(_)));
        if !has_field || text.contains(['\n', '\r']) {
            return Err(InvalidTemplate::Empty);
        }
        Ok(Self::Template(pieces.into()))
    }

    /// Appends the line of a record.
    pub(super) fn write(&self, record: &AccessRecord, out: &mut Vec<u8>) {
        match self {
            Self::Json => write_json(record, out),
            Self::Template(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Piece::Field(field) => field.with(record, |value| write_plain(&value, out)),
                    }
                }
            }
        }
        out.push(b'\n');
    }
}

fn field(name: &str) -> Result<Field, InvalidTemplate> {
    let found = Field::ALL
        .iter()
        .copied()
        .find(|field| field.name() == name);
    found.ok_or_else(|| {
        let nearest = Field::ALL
            .iter()
            .map(|field| (strsim::osa_distance(field.name(), name), field.name()))
            .min()
            .filter(|(distance, _)| *distance <= NEAR_MAX);
        InvalidTemplate::UnknownField {
            name: name.chars().take(NAME_MAX).collect(),
            nearest: nearest.map(|(_, name)| name.to_owned()),
        }
    })
}

fn write_json(record: &AccessRecord, out: &mut Vec<u8>) {
    let mut separator = b'{';
    for field in Field::ALL {
        field.with(record, |value| {
            if matches!(value, Value::Absent) {
                return;
            }
            out.push(separator);
            separator = b',';
            // Writing to a Vec does not fail.
            let _ = write!(out, "\"{}\":", field.name());
            match value {
                Value::Absent => {}
                Value::Number(number) => _ = write!(out, "{number}"),
                Value::Thousandths(number) => write_thousandths(number, out),
                Value::Known(text) => _ = serde_json::to_writer(&mut *out, &Shown(text)),
                Value::Foreign(text, max) => {
                    let text = String::from_utf8_lossy(&text[..text.len().min(max)]);
                    let _ = serde_json::to_writer(&mut *out, &*text);
                }
            }
        });
    }
    out.push(b'}');
}

fn write_plain(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Absent => out.push(b'-'),
        Value::Number(number) => _ = write!(out, "{number}"),
        Value::Thousandths(number) => write_thousandths(*number, out),
        Value::Known(text) => _ = write!(out, "{text}"),
        Value::Foreign(text, max) => {
            for byte in &text[..text.len().min(*max)] {
                match byte {
                    b'"' | b'\\' | 0..=0x1f | 0x7f.. => _ = write!(out, "\\x{byte:02X}"),
                    _ => out.push(*byte),
                }
            }
        }
    }
}

fn write_thousandths(number: u128, out: &mut Vec<u8>) {
    let _ = write!(out, "{}.{:03}", number / 1000, number % 1000);
}

struct Shown<'a>(&'a dyn fmt::Display);

impl serde::Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// More than two slips, and it was another word.
const NEAR_MAX: usize = 2;
/// How much of a wrong name an error repeats.
const NAME_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read_strictly() {
        let pieces = |text| match Format::template(text) {
            Ok(Format::Template(pieces)) => pieces.into_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            pieces("{{{path}}} [{status}]"),
            [
                Piece::Text("{".into()),
                Piece::Field(Field::Path),
                Piece::Text("} [".into()),
                Piece::Field(Field::Status),
                Piece::Text("]".into()),
            ]
        );
        for (text, expected) in [
            ("", "a template has at least one field and no line break"),
            (
                "plain",
                "a template has at least one field and no line break",
            ),
            (
                "{path}\n{path}",
                "a template has at least one field and no line break",
            ),
            (
                "{path",
                "a brace at byte 0 has no other half; write `{{` or `}}` for the character itself",
            ),
            (
                "a } {path}",
                "a brace at byte 2 has no other half; write `{{` or `}}` for the character itself",
            ),
            (
                "{pa{th}",
                "a brace at byte 0 has no other half; write `{{` or `}}` for the character itself",
            ),
            (
                "{statuss}",
                "`statuss` is no field of an access line; did you mean `status`?",
            ),
            (
                "{authorization}",
                "`authorization` is no field of an access line",
            ),
            ("{}", "`` is no field of an access line"),
        ] {
            assert_eq!(
                Format::template(text).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn the_documentation_names_every_field() {
        let documented = include_str!("mod.rs");
        for field in Field::ALL {
            assert!(
                documented.contains(&format!("`{}`", field.name())),
                "{field:?}"
            );
        }
    }

    #[test]
    fn durations_have_three_decimals() {
        let mut out = Vec::new();
        write_thousandths(1_234_005, &mut out);
        assert_eq!(out, b"1234.005");
    }
}
