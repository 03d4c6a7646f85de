//! The file layer: text into a tree that knows its lines.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::Path,
    sync::Arc,
};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value as Json;
use toml::de::DeTable;

use crate::config::{error::Problem, key::Key, source::Source, text, tree::Node};

/// Reads a file that must exist.
pub(in crate::config) fn read(path: &Path) -> Result<Node, Problem> {
    match read_text(path) {
        Ok(text) => parse(&text, path),
        Err(error) => Err(problem(path, None, unreadable(&error))),
    }
}

/// Reads a file that may be missing; `None` if it is.
pub(in crate::config) fn read_if_exists(path: &Path) -> Result<Option<Node>, Problem> {
    match read_text(path) {
        Ok(text) => parse(&text, path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(path, None, unreadable(&error))),
    }
}

/// Reads the text of a file: JSON if its name ends so, TOML otherwise.
pub(in crate::config) fn parse(text: &str, path: &Path) -> Result<Node, Problem> {
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return parse_json(text, path);
    }
    let path: Arc<Path> = path.into();
    let lines = Lines::of(text);
    let source_at = |span: Range<usize>| Source::File {
        path: Arc::clone(&path),
        line: Some(lines.line_of(span.start)),
    };
    // Only the message of the parser is used: its Display quotes the line, and with it perhaps a
    // secret.
    let table = DeTable::parse(text).map_err(|error| {
        problem(
            &path,
            error.span().map(|span| lines.line_of(span.start)),
            error.message(),
        )
    })?;
    let root = Source::File {
        path: Arc::clone(&path),
        line: None,
    };
    text::from_toml_table(table.into_inner(), &source_at, root, 0)
        .map_err(|message| problem(&path, None, message))
}

/// JSON has no lines of its own once it is read; the key has to do.
fn parse_json(text: &str, path: &Path) -> Result<Node, Problem> {
    let source = Source::File {
        path: path.into(),
        line: None,
    };
    // The message of the parser may quote what it has found, which may be a secret.
    let json: UniqueKeys = serde_json::from_str(text).map_err(|error| {
        let message = match error.classify() {
            serde_json::error::Category::Data => "has a key twice",
            serde_json::error::Category::Eof => "ends too early",
            _ => "is no JSON",
        };
        problem(path, Some(error.line()), message)
    })?;
    if json.0.is_object() {
        Ok(Node::from_json(json.0, &source))
    } else {
        Err(problem(path, None, "is not a table"))
    }
}

/// JSON in which no table has a key twice: of two values one would be lost without a word.
struct UniqueKeys(Json);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = UniqueKeys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(Json::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<UniqueKeys, A::Error> {
                let mut items = Vec::new();
                while let Some(UniqueKeys(item)) = list.next_element()? {
                    items.push(item);
                }
                Ok(UniqueKeys(items.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<UniqueKeys, A::Error> {
                let mut entries = serde_json::Map::new();
                while let Some((key, UniqueKeys(value))) = table.next_entry::<String, _>()? {
                    if entries.insert(key, value).is_some() {
                        return Err(de::Error::custom("a key is there twice"));
                    }
                }
                Ok(UniqueKeys(entries.into()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits, whatever
    // its metadata says.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("is not valid UTF-8 in line {line}"),
        )
    })
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory, not a file".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        io::ErrorKind::FileTooLarge => format!("is larger than {MAX_FILE_BYTES} bytes"),
        io::ErrorKind::InvalidData => error.to_string(),
        _ => format!("cannot be read: {error}"),
    }
}

fn problem(path: &Path, line: Option<usize>, message: impl fmt::Display) -> Problem {
    Problem::new(
        Key::default(),
        Source::File {
            path: path.into(),
            line,
        },
        message,
    )
}

/// Where each line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_newlines).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

/// Far above any file written by hand; a limit so that a wrong path is an error and not a hang.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_json_and_has_no_key_twice() {
        let read = |text| parse(text, Path::new("a.json")).map(|node| node.to_json());
        assert_eq!(
            read(r#"{"a": [1, {"b": null}]}"#).unwrap(),
            serde_json::json!({"a": [1, {"b": null}]})
        );
        for (text, expected) in [
            (r#"{"a": {"b": 1, "b": 2}}"#, "a.json:1: has a key twice"),
            ("{\n\"a\": hunter2}", "a.json:2: is no JSON"),
            ("{", "a.json:1: ends too early"),
            ("[]", "a.json: is not a table"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(read(&deep).is_err());
    }
}
