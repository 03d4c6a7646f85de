//! Everything that is wrong with a configuration, in one report.

use std::fmt;

use super::{key::Key, source::Source};

/// One thing to put right: which key, who set it, what is wrong, and the way out if one is known.
///
/// Displayed on one line, the place first so that a terminal can jump to it.
///
/// ```
/// use msf_core::config::{Loader, Plain};
/// # #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(default)]
/// # struct Settings { workers: u16 }
/// let error = Loader::new().args(["--worker=4"]).load::<Plain<Settings>>().unwrap_err();
/// let problem = &error.problems()[0];
///
/// assert_eq!(problem.key(), "worker");
/// assert_eq!(problem.hint(), Some("did you mean --workers?"));
/// assert_eq!(problem.to_string(), "flag --worker: worker: unknown key; did you mean --workers?");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) key: Key,
    source: Option<Source>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn new(
        key: Key,
        source: impl Into<Option<Source>>,
        message: impl fmt::Display,
    ) -> Self {
        Self {
            key,
            source: source.into(),
            message: message.to_string(),
            hint: None,
        }
    }

    pub(super) fn set_by(mut self, source: Option<Source>) -> Self {
        self.source = source;
        self
    }

    pub(super) fn with_hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl Problem {
    /// The path of the key, such as `server.bind` or `routes[1].weight`; empty if no key is at
    /// fault, as with a file that cannot be read.
    #[must_use]
    pub fn key(&self) -> String {
        self.key.to_string()
    }

    /// Who set the key, if anything did.
    #[must_use]
    pub const fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// What is wrong. Never contains the value of a [`Secret`](super::Secret).
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out, if one is known: a name that was probably meant, or the names that exist.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}: ")?;
        }
        if !self.key.0.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Every [`Problem`] of a configuration; there is at least one.
///
/// `Debug` prints the same report as `Display`, because that is what
/// `fn main() -> Result<(), ConfigError>` shows. Of the at most 100 problems that are collected, the
/// report shows 32 and counts the rest.
///
/// ```
/// use msf_core::config::{Loader, Plain};
/// # #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(default)]
/// # struct Settings { workers: u16 }
/// let env = [("MSF__WORKERS", "many"), ("MSF__WORKRES", "4")];
/// let error = Loader::new().env(env).load::<Plain<Settings>>().unwrap_err();
///
/// assert_eq!(
///     error.to_string(),
///     "the configuration has 2 problems:
///   env MSF__WORKERS: workers: expected a whole number from 0 to 65535, found \"many\"
///   env MSF__WORKRES: workres: unknown key; did you mean MSF__WORKERS?
/// run with --help for every key"
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// What is wrong, in the order of the report.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => writeln!(f, "the configuration has 1 problem:")?,
            count => writeln!(f, "the configuration has {count} problems:")?,
        }
        for problem in self.problems.iter().take(MAX_SHOWN) {
            writeln!(f, "  {problem}")?;
        }
        if let more @ 1.. = self.problems.len().saturating_sub(MAX_SHOWN) {
            writeln!(f, "  and {more} more")?;
        }
        f.write_str("run with --help for every key")
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems up to [`MAX_COLLECTED`].
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Problem>);

impl Report {
    pub(super) fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.0.push(problem);
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= MAX_COLLECTED
    }

    /// Whether a problem was reported at `key`, above it or below it.
    pub(super) fn mentions(&self, key: &Key) -> bool {
        self.0
            .iter()
            .any(|problem| !problem.key.0.is_empty() && problem.key.overlaps(key))
    }

    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { problems: self.0 })
        }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

/// More than this many problems are one problem: the wrong file.
const MAX_COLLECTED: usize = 100;

/// About one screen.
const MAX_SHOWN: usize = 32;
