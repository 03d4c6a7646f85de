//! The path that the service sees.

use super::{
    error::InvalidTransform,
    template::{Always, Template, Values},
};
use crate::path::CanonicalPath;

/// What a route does to the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PathTransform {
    #[default]
    Keep,
    /// Puts this in the place of the prefix of the route.
    ReplacePrefix(String),
    /// Writes another path, with what the route captured.
    Rewrite(String),
}

/// A change of the path that was checked.
#[derive(Clone, Debug)]
pub(crate) enum CheckedPath {
    /// The bytes at the beginning that go, and what takes their place.
    ReplacePrefix {
        len: usize,
        by: Box<str>,
    },
    Rewrite(Template),
}

impl CheckedPath {
    /// Checks a change; `prefix` is the prefix of the route without a slash at its end, if it has one.
    pub(crate) fn new(
        transform: &PathTransform,
        prefix: Option<&str>,
        captures: &[&str],
    ) -> Result<Option<Self>, InvalidTransform> {
        let canonical = |text: &str, path: &str| match CanonicalPath::parse(path) {
            Ok(path) if path.is_unchanged() => Ok(()),
            _ => Err(InvalidTransform::Path(text.to_owned())),
        };
        Ok(match transform {
            PathTransform::Keep => None,
            PathTransform::ReplacePrefix(by) => {
                let prefix = prefix.ok_or(InvalidTransform::NoPrefix)?;
                canonical(by, by)?;
                Some(Self::ReplacePrefix {
                    len: prefix.len(),
                    by: by.trim_end_matches('/').into(),
                })
            }
            PathTransform::Rewrite(text) => {
                let template = Template::parse(text, captures)?;
                // With a letter in each place, to see that the rest is a path.
                let sample = Values {
                    client: None,
                    host: Some("x"),
                    path: "/x",
                    query: Some("x"),
                    request_id: Some("x"),
                    route: "/x",
                    captures: &Always(Some("x")),
                };
                let sample = template
                    .render(&sample)
                    .ok_or_else(|| InvalidTransform::Path(text.clone()))?;
                canonical(text, &sample)?;
                Some(Self::Rewrite(template))
            }
        })
    }

    /// The path that the service sees, canonical; `None` where what was captured makes it no path.
    pub(crate) fn apply(&self, values: &Values<'_>) -> Option<String> {
        let path = match self {
            Self::ReplacePrefix { len, by } => {
                let rest = values.path.get(*len..)?;
                match (&**by, rest) {
                    ("", "") => "/".to_owned(),
                    (by, rest) => format!("{by}{rest}"),
                }
            }
            Self::Rewrite(template) => template.render(values)?,
        };
        // What stood in a segment of its own may mean something else beside other text.
        let is_canonical = CanonicalPath::parse(&path).is_ok_and(|path| path.is_unchanged());
        is_canonical.then_some(path)
    }
}
