//! [`HeaderTransform`].

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use super::{
    error::InvalidTransform,
    template::{Template, Values},
};

/// Headers that are removed, set or added, in this order; see the [module documentation](super) for what values may
/// name.
///
/// Headers that frame the message or belong to the connection, `host` among them, cannot be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a transform does nothing until a route has it"]
pub struct HeaderTransform {
    remove: Vec<String>,
    set: Vec<(String, String)>,
    add: Vec<(String, String)>,
}

/// A transform that was checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckedHeaders {
    remove: Box<[HeaderName]>,
    set: Box<[(HeaderName, Value)]>,
    add: Box<[(HeaderName, Value)]>,
}

/// Whose headers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

#[derive(Clone, Debug)]
enum Value {
    Same(HeaderValue),
    Template(Template),
}

impl HeaderTransform {
    /// Changes nothing.
    pub const fn new() -> Self {
        Self {
            remove: Vec::new(),
            set: Vec::new(),
            add: Vec::new(),
        }
    }

    /// Replaces every value of a header, or puts it there.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.push((name.into(), value.into()));
        self
    }

    /// Adds a value beside those that are there.
    pub fn add(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add.push((name.into(), value.into()));
        self
    }

    /// Removes every value of a header.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.remove.push(name.into());
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

impl CheckedHeaders {
    /// Checks a transform; `captures` are the names that the path of the route captures.
    pub(crate) fn new(
        transform: &HeaderTransform,
        side: Side,
        captures: &[&str],
    ) -> Result<Self, InvalidTransform> {
        let pair = |(name, value): &(String, String)| {
            Ok((name_of(name, side)?, Value::parse(name, value, captures)?))
        };
        let checked = Self {
            remove: transform
                .remove
                .iter()
                .map(|name| name_of(name, side))
                .collect::<Result<_, _>>()?,
            set: transform.set.iter().map(pair).collect::<Result<_, _>>()?,
            add: transform.add.iter().map(pair).collect::<Result<_, _>>()?,
        };
        checked.check_twice()?;
        Ok(checked)
    }

    fn check_twice(&self) -> Result<(), InvalidTransform> {
        let set = self.set.iter().map(|(name, _)| name);
        let mut once: Vec<&HeaderName> = self.remove.iter().chain(set).collect();
        once.sort_unstable_by_key(|name| name.as_str());
        let twice = once.windows(2).find(|pair| pair[0] == pair[1]);
        // A header may be added several times, and to nothing else.
        let added = self.add.iter().map(|(name, _)| name);
        let both = added.into_iter().find(|name| once.contains(name));
        match twice.map(|pair| pair[0]).or(both) {
            Some(name) => Err(InvalidTransform::HeaderTwice(name.to_string())),
            None => Ok(()),
        }
    }

    /// Changes the headers of a message.
    pub(crate) fn apply(&self, values: &Values<'_>, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            match value.render(values) {
                Some(value) => headers.insert(name, value),
                // Without its value the header would stay the client's own.
                None => headers.remove(name),
            };
        }
        for (name, value) in &self.add {
            if let Some(value) = value.render(values) {
                headers.append(name, value);
            }
        }
    }
}

impl Value {
    fn parse(name: &str, text: &str, captures: &[&str]) -> Result<Self, InvalidTransform> {
        let template = Template::parse(text, captures)?;
        let invalid = || InvalidTransform::HeaderValue(name.to_owned());
        if let Some(literal) = template.as_literal() {
            return HeaderValue::from_str(literal)
                .map(Self::Same)
                .map_err(|_| invalid());
        }
        if template
            .literals()
            .any(|part| HeaderValue::from_str(part).is_err())
        {
            return Err(invalid());
        }
        Ok(Self::Template(template))
    }

    fn render(&self, values: &Values<'_>) -> Option<HeaderValue> {
        match self {
            Self::Same(value) => Some(value.clone()),
            Self::Template(template) => HeaderValue::try_from(template.render(values)?).ok(),
        }
    }
}

fn name_of(text: &str, side: Side) -> Result<HeaderName, InvalidTransform> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| InvalidTransform::HeaderName(text.to_owned()))?;
    let is_reserved = FRAMING.contains(&name)
        || name.as_str().starts_with("proxy-")
        || name == "keep-alive"
        || (side == Side::Request && (name == HOST || name == EXPECT));
    if is_reserved {
        return Err(InvalidTransform::ReservedHeader(text.to_owned()));
    }
    Ok(name)
}

const FRAMING: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_LENGTH,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
