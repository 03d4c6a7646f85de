//! [`Pattern`], which paths a route takes.

use std::fmt;

use regex::bytes::Regex;

use super::{Captures, error::InvalidMatch, predicate::regex};
use crate::path::{CanonicalPath, InvalidPath};

/// Which paths a route takes, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// This path and no other.
    Exact(Box<str>),
    /// This path and all below it.
    Prefix(Box<str>),
    /// A path with captures.
    Template(Box<str>),
    /// Every path that the expression takes as a whole.
    Regex(Box<str>),
}

/// A pattern that can be looked up.
#[derive(Clone, Debug)]
pub(super) enum Path {
    Shape(Shape),
    Regex(Regex),
}

/// A pattern in the segments of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
    /// The names of the captures, that of the rest last.
    pub(super) names: Vec<Box<str>>,
    /// Whether the last name is that of the rest.
    pub(super) names_rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Literal(Box<str>),
    Capture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// The path ends here.
    Closed,
    /// The path ends here with a slash.
    Slash,
    /// The path may go on.
    Open,
}

impl Pattern {
    /// A template, which without captures is one of the plain patterns.
    pub(super) fn template(text: &str) -> Self {
        let has_captures = text.contains('{');
        match text.strip_suffix("/**") {
            Some("") => Self::Prefix("/".into()),
            Some(prefix) if !has_captures => Self::Prefix(prefix.into()),
            None if !has_captures => Self::Exact(text.into()),
            _ => Self::Template(text.into()),
        }
    }

    /// The same with captures that have no names, so that `/{a}` and `/{b}` are one, as `/api` and `/api/` are.
    pub(super) fn without_names(&self) -> Self {
        match self {
            Self::Prefix(path) => Self::Prefix(without_last_slash(path).into()),
            Self::Template(path) => {
                let blind = |segment: &str| match segment.starts_with('{') {
                    true if segment.starts_with("{*") => "**".to_owned(),
                    true => "{}".to_owned(),
                    false => segment.to_owned(),
                };
                let segments: Vec<String> = path.split('/').map(blind).collect();
                Self::Template(segments.join("/").into())
            }
            Self::Exact(_) | Self::Regex(_) => self.clone(),
        }
    }

    pub(super) fn compile(&self) -> Result<Path, InvalidMatch> {
        match self {
            Self::Exact(path) => Shape::parse(path, None, false),
            Self::Prefix(path) if **path == *"/" => Ok(Shape::new(End::Open)),
            Self::Prefix(path) => Shape::parse(without_last_slash(path), Some(End::Open), false),
            Self::Template(path) => match path.strip_suffix("/**") {
                Some(path) => Shape::parse(path, Some(End::Open), true),
                None => Shape::parse(path, None, true),
            },
            Self::Regex(text) => {
                let regex = regex(text)?;
                return if regex.capture_names().flatten().count() > Captures::MAX {
                    Err(InvalidMatch::Captures)
                } else {
                    Ok(Path::Regex(regex))
                };
            }
        }
        .map(Path::Shape)
    }

    /// More segments than any API has; the walk through the tree is as deep as the deepest route.
    pub(super) const SEGMENTS_MAX: usize = 64;
}

impl Shape {
    const fn new(end: End) -> Self {
        Self {
            steps: Vec::new(),
            end,
            names: Vec::new(),
            names_rest: false,
        }
    }

    fn parse(path: &str, end: Option<End>, is_template: bool) -> Result<Self, InvalidMatch> {
        if !path.starts_with('/') {
            return Err(InvalidPath::NotAbsolute.into());
        }
        let (path, end) = match (end, path.strip_suffix('/')) {
            (Some(end), _) => (path, end),
            (None, Some(path)) => (path, End::Slash),
            (None, None) => (path, End::Closed),
        };
        let mut shape = Self::new(end);
        // The text before the first slash is empty.
        for segment in path.split('/').skip(1) {
            shape.push(segment, is_template)?;
        }
        if shape.names.len() > Captures::MAX {
            return Err(InvalidMatch::Captures);
        }
        if shape.steps.len() > Pattern::SEGMENTS_MAX {
            let max = Pattern::SEGMENTS_MAX;
            return Err(InvalidMatch::Deep { max });
        }
        Ok(shape)
    }

    fn push(&mut self, segment: &str, is_template: bool) -> Result<(), InvalidMatch> {
        if self.names_rest {
            // `{*rest}` was not the last one.
            let segment = self.names.pop().unwrap_or_default();
            return Err(InvalidMatch::Capture { segment });
        }
        if is_template && segment.contains(['{', '}']) {
            let inner = segment
                .strip_prefix('{')
                .and_then(|it| it.strip_suffix('}'));
            let (name, is_rest) = match inner.map(|it| (it, it.strip_prefix('*'))) {
                Some((_, Some(name))) => (name, true),
                Some((name, None)) => (name, false),
                None => ("", false),
            };
            let is_ended = is_rest && self.end != End::Closed;
            if !is_capture_name(name) || is_ended {
                return Err(InvalidMatch::Capture {
                    segment: segment.into(),
                });
            }
            if self.names.iter().any(|own| **own == *name) {
                return Err(InvalidMatch::CaptureTwice { name: name.into() });
            }
            self.names.push(name.into());
            if is_rest {
                self.names_rest = true;
                self.end = End::Open;
            } else {
                self.steps.push(Step::Capture);
            }
            return Ok(());
        }
        if matches!(segment, "*" | "**") {
            return Err(InvalidMatch::Star {
                segment: segment.into(),
            });
        }
        self.steps.push(Step::Literal(literal(segment)?));
        Ok(())
    }
}

/// `/api/` and `/api` are one prefix, and `/` is the prefix of everything, which is the empty text.
pub(super) fn without_last_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// A segment as the canonical path has it. Only what is no ASCII is encoded here: an escape in a route hides from
/// people what it takes.
fn literal(segment: &str) -> Result<Box<str>, InvalidPath> {
    if segment.is_empty() {
        return Err(InvalidPath::EmptySegment);
    }
    if segment.contains('%') {
        return Err(InvalidPath::Encoding);
    }
    let mut path = String::from("/");
    for byte in segment.bytes() {
        if byte.is_ascii() {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    CanonicalPath::parse(&path)?;
    path.remove(0);
    Ok(path.into())
}

fn is_capture_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_fit)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) | Self::Template(path) | Self::Regex(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{}/**", without_last_slash(path)),
        }
    }
}
