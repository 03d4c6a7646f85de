//! A text that is no policy.

use std::borrow::Cow;

use thiserror::Error;

/// A text that is no policy: where, what could have stood there, and what did.
///
/// ```
/// use msf_auth::Policy;
///
/// let error = "any(scope(a), oner(id))".parse::<Policy>().unwrap_err();
/// assert_eq!(error.column(), 15);
/// assert!(error.to_string().starts_with("column 15: expected "), "{error}");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct InvalidPolicy {
    pub(super) column: usize,
    pub(super) expected: Cow<'static, str>,
    pub(super) found: Box<str>,
}

impl InvalidPolicy {
    /// The place in characters, from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What could have stood there.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }
}
