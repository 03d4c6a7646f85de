//! Texts with names in braces.

use std::{
    fmt::{self, Write},
    net::IpAddr,
};

use super::error::InvalidTransform;
use crate::route::Captures;

/// A text with names in braces, parsed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    ClientIp,
    Host,
    Path,
    Query,
    RequestId,
    Route,
    Capture(Box<str>),
}

/// What is known of a request.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) client: Option<IpAddr>,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) route: &'a str,
    pub(crate) captures: &'a dyn Named,
}

/// What was captured of a path.
pub(crate) trait Named {
    fn value<'p>(&'p self, name: &str, path: &'p str) -> Option<&'p str>;
}

impl Named for Captures {
    fn value<'p>(&'p self, name: &str, path: &'p str) -> Option<&'p str> {
        self.get(name, path)
    }
}

/// The same for every name, or nothing.
pub(crate) struct Always<'a>(pub(crate) Option<&'a str>);

impl Named for Always<'_> {
    fn value<'p>(&'p self, _name: &str, _path: &'p str) -> Option<&'p str> {
        self.0
    }
}

impl Template {
    /// Parses a text; `captures` are the names that the path of the route captures.
    pub(crate) fn parse(text: &str, captures: &[&str]) -> Result<Self, InvalidTransform> {
        let brace = || InvalidTransform::Brace(text.to_owned());
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if tail.starts_with("{{") || tail.starts_with("}}") {
                literal.push_str(&tail[..1]);
                rest = &tail[2..];
                continue;
            }
            let inner = tail.strip_prefix('{').ok_or_else(brace)?;
            let (name, after) = inner.split_once('}').ok_or_else(brace)?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::named(name, captures)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self {
            parts: parts.into(),
        })
    }

    /// The text, if it names nothing.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The parts that are the same for every request, one after the other.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// The text for a request; `None` if the request does not have what it names.
    pub(crate) fn render(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            part.write(values, &mut text)?;
        }
        Some(text)
    }
}

impl Part {
    fn named(name: &str, captures: &[&str]) -> Result<Self, InvalidTransform> {
        Ok(match name {
            // What the route captures under a name of ours is what its author means.
            name if captures.contains(&name) => Self::Capture(name.into()),
            "client_ip" => Self::ClientIp,
            "host" => Self::Host,
            "path" => Self::Path,
            "query" => Self::Query,
            "request_id" => Self::RequestId,
            "route" => Self::Route,
            name => return Err(InvalidTransform::Unknown(name.to_owned())),
        })
    }

    fn write(&self, values: &Values<'_>, text: &mut String) -> Option<()> {
        let value = match self {
            Self::Text(part) => part,
            Self::ClientIp => {
                // Writing to a String does not fail.
                let _ = write!(text, "{}", values.client?);
                return Some(());
            }
            Self::Host => values.host?,
            Self::Path => values.path,
            Self::Query => values.query.unwrap_or_default(),
            Self::RequestId => values.request_id?,
            Self::Route => values.route,
            Self::Capture(name) => values.captures.value(name, values.path)?,
        };
        text.push_str(value);
        Some(())
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("client", &self.client)
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
