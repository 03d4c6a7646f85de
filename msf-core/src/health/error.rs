//! Why a check failed, and why a check was refused.

use std::{borrow::Cow, error::Error, fmt};

use thiserror::Error;

use crate::BoxError;

/// A check failed. It has a message for everybody and, apart from it, a cause for the log.
///
/// Probe endpoints are often reachable by more people than the log is, so only what was passed as
/// the message is ever shown; the cause never leaves the process.
///
/// ```
/// use std::io;
///
/// use msf_core::health::CheckError;
///
/// let cause = io::Error::other("password of 10.0.0.7 refused");
/// let error = CheckError::new("login refused").caused_by(cause);
/// assert_eq!(error.to_string(), "login refused");
///
/// let error = CheckError::internal("connect to 10.0.0.7: timed out");
/// assert_eq!(error.to_string(), "check failed");
/// ```
#[derive(Debug)]
pub struct CheckError {
    public: Cow<'static, str>,
    cause: Option<BoxError>,
}

impl CheckError {
    /// A failure with a message that anybody may read.
    #[must_use]
    pub fn new(public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            public: public.into(),
            cause: None,
        }
    }

    /// A failure of which the public learns nothing but that it happened.
    #[must_use]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::new("check failed").caused_by(cause)
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<BoxError>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Keeps a [`CheckError`] as it is and hides any other error behind
    /// [`internal`](Self::internal).
    pub(super) fn from_boxed(error: BoxError) -> Self {
        error
            .downcast::<Self>()
            .map_or_else(Self::internal, |error| *error)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl Error for CheckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// [`Health::add`](super::Health::add) refused a check.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddCheckError {
    /// The name is empty, longer than 64 bytes, or has a space or a non-ASCII character.
    #[error("check name {name:?} is not 1 to 64 visible ASCII characters")]
    InvalidName {
        /// The name as it was given.
        name: String,
    },
    /// Another check has the name.
    #[error("a check named `{name}` exists already")]
    Duplicate {
        /// The name both want.
        name: String,
    },
    /// There are [`MAX_CHECKS`](super::MAX_CHECKS) checks already.
    #[error("check `{name}` is one more than {} allow", super::MAX_CHECKS)]
    TooMany {
        /// The check that was refused.
        name: String,
    },
}

/// An error and its sources on one line, for log fields.
pub(super) struct Chain<'a>(pub(super) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_error_stays_out_of_the_public_message() {
        let error = CheckError::from_boxed("secret host".into());
        assert_eq!(error.to_string(), "check failed");
        assert_eq!(Chain(&error).to_string(), "check failed: secret host");
    }

    #[test]
    fn a_check_error_survives_boxing() {
        let error = CheckError::from_boxed(CheckError::new("replica lags").into());
        assert_eq!(error.to_string(), "replica lags");
    }
}
