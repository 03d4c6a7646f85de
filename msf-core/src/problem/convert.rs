//! From an error to a problem.

use std::error::Error;

use http_body_util::LengthLimitError;

use super::{Code, Problem};
use crate::{BoxError, deadline::DeadlineExceeded, name::InvalidName};

impl Problem {
    /// Finds the problem in an error, however deep it is wrapped.
    ///
    /// A chain that holds neither a [`Problem`] nor an error of msf-core becomes [`Code::Internal`]; the
    /// error itself is kept as the source, for the log.
    #[must_use]
    pub fn from_error(error: impl Into<BoxError>) -> Self {
        let error = match error.into().downcast::<Self>() {
            Ok(problem) => return *problem,
            Err(error) => error,
        };
        known(error.as_ref()).with_source(error)
    }
}

/// The first error in the chain that has a problem of its own.
fn known(error: &(dyn Error + 'static)) -> Problem {
    std::iter::successors(Some(error), |error| cause(*error))
        .take(CHAIN_LEN_MAX)
        .find_map(|error| {
            if let Some(problem) = error.downcast_ref::<Problem>() {
                Some(problem.copy())
            } else if let Some(exceeded) = error.downcast_ref::<DeadlineExceeded>() {
                Some((*exceeded).into())
            } else if error.is::<LengthLimitError>() || error.is::<Box<LengthLimitError>>() {
                // axum keeps it in a box of its own.
                Some(Problem::new(Code::PayloadTooLarge))
            } else if error.is::<tokio::time::error::Elapsed>() {
                Some(Problem::new(Code::Timeout))
            } else {
                None
            }
        })
        .unwrap_or_else(|| Problem::new(Code::Internal))
}

/// The next error in the chain.
///
/// `io::Error::source` skips the error that it wraps and gives that one's source instead, so a problem
/// that went through an `io::Error`, as body errors do, would never be seen.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

impl Problem {
    /// All but the source of a problem that lies behind a reference.
    fn copy(&self) -> Self {
        let mut copy = Self::new(self.0.code);
        copy.0.type_uri.clone_from(&self.0.type_uri);
        copy.0.title.clone_from(&self.0.title);
        copy.0.detail.clone_from(&self.0.detail);
        copy.0.instance.clone_from(&self.0.instance);
        copy.0.retry_after = self.0.retry_after;
        copy.0.errors.clone_from(&self.0.errors);
        copy.0.members.clone_from(&self.0.members);
        copy.0.log_detail.clone_from(&self.0.log_detail);
        copy
    }
}

impl From<DeadlineExceeded> for Problem {
    fn from(error: DeadlineExceeded) -> Self {
        Self::new(Code::DeadlineExceeded).with_source(error)
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Self {
        Self::new(Code::BadRequest).with_detail(error.to_string())
    }
}

impl From<BoxError> for Problem {
    fn from(error: BoxError) -> Self {
        Self::from_error(error)
    }
}

/// Ends the search in a chain that is longer than any honest one, or a ring.
const CHAIN_LEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Ring;

    impl fmt::Display for Ring {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("ring")
        }
    }

    impl Error for Ring {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn a_wrapped_problem_is_found() {
        let inner = Problem::new(Code::Conflict)
            .with_detail("sold out")
            .with_log_detail("warehouse 3")
            .with_member("sku", 7);
        let found = Problem::from_error(io::Error::other(io::Error::other(inner)));
        assert_eq!(found.code(), Code::Conflict);
        assert_eq!(found.detail(), Some("sold out"));
        assert_eq!(found.log_detail(), Some("warehouse 3"));
    }

    #[test]
    fn a_boxed_problem_comes_back_whole() {
        let boxed: BoxError = Problem::new(Code::Gone).with_log_detail("kept").into();
        assert_eq!(Problem::from_error(boxed).log_detail(), Some("kept"));
    }

    #[test]
    fn an_unknown_error_tells_the_client_nothing() {
        let problem = Problem::from_error(io::Error::other("password is hunter2"));
        assert_eq!(problem.code(), Code::Internal);
        assert!(!problem.to_string().contains("hunter2"));
        assert!(problem.source().unwrap().to_string().contains("hunter2"));
    }

    #[test]
    fn a_chain_without_end_ends() {
        assert_eq!(Problem::from_error(Ring).code(), Code::Internal);
    }
}
