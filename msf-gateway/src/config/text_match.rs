//! How a path, a header, a query parameter or a cookie is matched.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};

/// Which paths a route takes.
///
/// | written | takes |
/// |---|---|
/// | `"/api/users"` | this path alone |
/// | `"/api/users/**"` | this path and all below it |
/// | `"/api/users/{id}"` | one segment in the place of each capture |
/// | `{ regex = "^/v[0-9]+/.*$" }` | what the regular expression matches |
/// | `{ exact = ".." }`, `{ prefix = ".." }`, `{ template = ".." }` | the same, said in full |
///
/// ```
/// use msf_gateway::config::PathMatch;
///
/// let path: PathMatch = serde_json::from_str("\"/api/users/**\"")?;
/// assert_eq!(path, PathMatch::Prefix("/api/users".to_owned()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathMatch {
    /// This path alone.
    Exact(String),
    /// This path and all below it.
    Prefix(String),
    /// A path with captures such as `{id}`, each of which takes one segment.
    Template(String),
    /// A regular expression.
    Regex(String),
}

/// What the value of a header, a query parameter or a cookie has to be.
///
/// | written | takes |
/// |---|---|
/// | `"1"`, `{ exact = "1" }` | this value |
/// | `{ prefix = "beta-" }` | values that begin so |
/// | `{ regex = "^[0-9]+$" }` | what the regular expression matches |
/// | `true`, `{ present = true }` | any value |
/// | `false`, `{ present = false }` | none: it must be absent |
///
/// ```
/// use msf_gateway::config::ValueMatch;
///
/// let value: ValueMatch = serde_json::from_str("{\"prefix\": \"beta-\"}")?;
/// assert_eq!(value, ValueMatch::Prefix("beta-".to_owned()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueMatch {
    /// This value.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// A value that the regular expression matches.
    Regex(String),
    /// Any value.
    Present,
    /// No value.
    Absent,
}

impl PathMatch {
    /// Reads the short form.
    fn short(text: &str) -> Self {
        // Before templates: `/api/{id}/**` is the template's own to understand.
        if text.contains(['{', '}']) {
            return Self::Template(text.to_owned());
        }
        match text.strip_suffix("/**") {
            Some("") => Self::Prefix("/".to_owned()),
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }
}

/// The short form, or the regular expression.
impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) | Self::Template(path) | Self::Regex(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{}/**", path.trim_end_matches('/')),
        }
    }
}

impl Serialize for PathMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, text) = match self {
            // What would be read back as something else is said in full.
            short if Self::short(&short.to_string()) == *self => {
                return serializer.collect_str(self);
            }
            Self::Exact(text) => ("exact", text),
            Self::Prefix(text) => ("prefix", text),
            Self::Template(text) => ("template", text),
            Self::Regex(text) => ("regex", text),
        };
        serializer.collect_map([(kind, text)])
    }
}

impl Serialize for ValueMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(text) => serializer.serialize_str(text),
            Self::Prefix(text) => serializer.collect_map([("prefix", text)]),
            Self::Regex(text) => serializer.collect_map([("regex", text)]),
            Self::Present => serializer.serialize_bool(true),
            Self::Absent => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for PathMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = PathMatch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path such as \"/api/**\", or a table such as { regex = \"..\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PathMatch, E> {
                Ok(PathMatch::short(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PathMatch, A::Error> {
                let kind = one_key(&mut map)?;
                let make = match kind.as_str() {
                    "exact" => PathMatch::Exact,
                    "prefix" => PathMatch::Prefix,
                    "template" => PathMatch::Template,
                    "regex" => PathMatch::Regex,
                    other => return Err(unknown(other, PATH_KINDS)),
                };
                let text = map.next_value()?;
                no_more(&mut map)?;
                Ok(make(text))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

impl<'de> Deserialize<'de> for ValueMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = ValueMatch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, true, false, or a table such as { prefix = \"..\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ValueMatch, E> {
                Ok(ValueMatch::Exact(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, present: bool) -> Result<ValueMatch, E> {
                Ok(if present {
                    ValueMatch::Present
                } else {
                    ValueMatch::Absent
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ValueMatch, A::Error> {
                let kind = one_key(&mut map)?;
                let read = match kind.as_str() {
                    "exact" => ValueMatch::Exact(map.next_value()?),
                    "prefix" => ValueMatch::Prefix(map.next_value()?),
                    "regex" => ValueMatch::Regex(map.next_value()?),
                    "present" => self.visit_bool(map.next_value()?)?,
                    "absent" => self.visit_bool(!map.next_value::<bool>()?)?,
                    other => return Err(unknown(other, VALUE_KINDS)),
                };
                no_more(&mut map)?;
                Ok(read)
            }
        }

        deserializer.deserialize_any(Written)
    }
}

fn one_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<String, A::Error> {
    let key = map.next_key()?;
    key.ok_or_else(|| de::Error::custom("expected a table with one key, the kind; found none"))
}

fn no_more<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    match map.next_key::<String>()? {
        None => Ok(()),
        Some(_) => Err(de::Error::custom(
            "expected a table with one key, the kind; found more",
        )),
    }
}

fn unknown<E: de::Error>(kind: &str, kinds: &'static [&'static str]) -> E {
    E::unknown_variant(kind, kinds)
}

impl JsonSchema for PathMatch {
    fn schema_name() -> Cow<'static, str> {
        "PathMatch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "\"/a\" is that path, \"/a/**\" all below it too, \"/a/{id}\" has a capture",
            "anyOf": [
                { "type": "string" },
                one_of(PATH_KINDS, &[]),
            ],
        })
    }
}

impl JsonSchema for ValueMatch {
    fn schema_name() -> Cow<'static, str> {
        "ValueMatch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a value, or true for any and false for none",
            "anyOf": [
                { "type": ["string", "boolean"] },
                one_of(&VALUE_KINDS[..3], &VALUE_KINDS[3..]),
            ],
        })
    }
}

/// The schema of a table with one key.
fn one_of(texts: &[&str], flags: &[&str]) -> serde_json::Value {
    let text = texts.iter().map(|name| (*name, "string"));
    let flag = flags.iter().map(|name| (*name, "boolean"));
    let properties: serde_json::Map<_, _> = text
        .chain(flag)
        .map(|(name, kind)| (name.to_owned(), serde_json::json!({ "type": kind })))
        .collect();
    serde_json::json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

const PATH_KINDS: &[&str] = &["exact", "prefix", "template", "regex"];
const VALUE_KINDS: &[&str] = &["exact", "prefix", "regex", "present", "absent"];
