//! What can be wrong with a match.

use std::fmt;

use http::header::InvalidHeaderName;

use super::Captures;
use crate::path::InvalidPath;

/// Why a [`Match`](super::Match) matches nothing that it could mean.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMatch {
    /// A capture that is not a whole segment, has no name, or has another one than letters, digits and `_`.
    #[error(
        "`{segment}` is no capture: one is a whole segment, as `{{id}}`, or `{{*rest}}` at the end, of letters, \
         digits and `_`"
    )]
    Capture {
        /// The segment.
        segment: Box<str>,
    },
    /// Two captures with one name.
    #[error("two captures have the name `{name}`")]
    CaptureTwice {
        /// The name.
        name: Box<str>,
    },
    /// More captures than fit.
    #[error("more than {} captures", Captures::MAX)]
    Captures,
    /// A cookie's name that no client can send.
    #[error("`{name}` is no name of a cookie")]
    CookieName {
        /// The name.
        name: Box<str>,
    },
    /// More segments than anybody's API has.
    #[error("a path of more than {max} segments")]
    Deep {
        /// How many there may be.
        max: usize,
    },
    /// A header's name.
    #[error("`{name}` is no name of a header")]
    HeaderName {
        /// The name.
        name: Box<str>,
        /// What is wrong with it.
        source: InvalidHeaderName,
    },
    /// A host that is neither a name, an address nor `*.` before a name.
    #[error("`{host}` is no host: a name or an address without a port, or `*.` before a name")]
    Host {
        /// The host.
        host: Box<str>,
    },
    /// The path is not canonical, so that no request would ever match it.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// An expression that does not compile, or that would need too much memory.
    #[error("the regular expression `{text}` cannot be used: {problem}")]
    Regex {
        /// The expression.
        text: Box<str>,
        /// What is wrong with it, in one line.
        problem: Box<str>,
    },
    /// A star where it has no meaning.
    #[error(
        "`{segment}`: only `/**` at the end of a template stands for more; a segment is named, as `{{id}}`"
    )]
    Star {
        /// The segment.
        segment: Box<str>,
    },
}

/// Everything that is wrong with the matches of a [`Table`](super::Table), at once.
///
/// ```
/// use msf_gateway::route::{Match, Table};
///
/// let matches = [Match::exact("/a"), Match::template("/{a}/{a}"), Match::regex("(")];
/// let errors = Table::new(matches.map(|it| (it, ()))).unwrap_err();
/// assert_eq!(errors.iter().map(|(at, _)| at).collect::<Vec<_>>(), [1, 2]);
/// ```
#[derive(Debug)]
pub struct TableErrors(Vec<(usize, InvalidMatch)>);

impl TableErrors {
    pub(crate) const fn new(errors: Vec<(usize, InvalidMatch)>) -> Self {
        Self(errors)
    }

    /// The errors, each with the place of its match among those that were given.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &InvalidMatch)> {
        self.0.iter().map(|(at, error)| (*at, error))
    }
}

impl fmt::Display for TableErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table cannot be built:")?;
        for (at, error) in &self.0 {
            write!(f, "\n  {at}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TableErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (_, first) = self.0.first()?;
        first.source()
    }
}
