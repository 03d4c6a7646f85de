//! What serde says when a value does not fit, in the words of this module.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::{
    key::{Key, quote},
    suggest,
};

/// The first error of a pass of deserialization. Boxed, since it travels up through every level.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    hint: Option<String>,
    key: Option<Key>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Message(String),
    /// A table lacks this key.
    Missing(&'static str),
    /// A table has this key twice, which happens if an alias meets the default.
    Duplicate(&'static str),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            hint: None,
            key: None,
        }))
    }

    pub(super) fn message(text: impl fmt::Display) -> Self {
        Self::new(Kind::Message(text.to_string()))
    }

    /// Notes where it happened; the innermost place wins, because it notes first.
    pub(super) fn at(mut self, key: impl FnOnce() -> Key) -> Self {
        self.0.key.get_or_insert_with(key);
        self
    }

    pub(super) const fn kind(&self) -> &Kind {
        &self.0.kind
    }

    pub(super) fn key(&self) -> Key {
        self.0.key.clone().unwrap_or_default()
    }

    pub(super) fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(message)
    }

    /// Quotes no string: only the deserializer knows that it is not a secret that was put into the
    /// wrong place.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::message(format_args!(
            "expected {expected}, found {}",
            describe(&found)
        ))
    }

    /// The value fits the type and not its rules; types of serde and std quote it here, and so does
    /// this, since [`Secret`](super::Secret) reports nothing through it.
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => quote(text),
            other => describe(&other),
        };
        Self::message(format_args!("expected {expected}, found {found}"))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Self::message(format_args!("{} is not one of the choices", quote(found)));
        fault.0.hint = suggest::nearest(found, expected.iter().copied()).map_or_else(
            || (!expected.is_empty()).then(|| format!("choose from {}", expected.join(", "))),
            |near| Some(format!("did you mean {near:?}?")),
        );
        fault
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Kind::Duplicate(field))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Message(text) => f.write_str(text),
            Kind::Missing(_) => f.write_str("must be set"),
            Kind::Duplicate(_) => f.write_str("is set twice, under two names"),
        }
    }
}

impl std::error::Error for Fault {}

fn describe(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "a string".to_owned(),
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a table".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        other => other.to_string(),
    }
}
