//! Where a value came from.

use std::{fmt, path::Path, sync::Arc};

/// The layer that set a key, with enough detail to find the place and change it.
///
/// ```
/// use msf_core::config::Source;
///
/// assert_eq!(Source::Env("MSF__SERVER__BIND".into()).to_string(), "env MSF__SERVER__BIND");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The value of `T::default()`.
    Default,
    /// A line of the configuration file.
    #[non_exhaustive]
    File {
        /// The file, as it was named.
        path: Arc<Path>,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
    },
    /// An environment variable, by its name.
    Env(Arc<str>),
    /// A command-line flag, by its name with the leading dashes.
    Flag(Arc<str>),
}

impl Source {
    /// Whether nobody set the key.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Default)
    }

    pub(super) const fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
