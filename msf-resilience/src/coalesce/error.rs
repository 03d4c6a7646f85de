//! Errors that several callers get, and what could not be set up.

use std::{error, fmt, sync::Arc, time::Duration};

use msf_core::{classify::Classification, metrics::MetricsError};

use crate::LayerError;

/// The error of the service inside, shared by all callers of one call.
///
/// It prints as the error itself, and its source is that error's.
///
/// ```
/// use std::io;
/// use msf_resilience::coalesce::Error;
///
/// let error = Error::from(io::Error::other("gone"));
/// assert_eq!(error.clone().to_string(), "gone");
/// assert_eq!(error.get_ref().kind(), io::ErrorKind::Other);
/// ```
#[derive(Debug)]
pub struct Error<E>(Arc<E>);

impl<E> Error<E> {
    /// The error itself.
    #[must_use]
    pub fn get_ref(&self) -> &E {
        &self.0
    }

    /// The error by value, if no other caller has it any more.
    #[must_use]
    pub fn into_inner(self) -> Option<E> {
        Arc::into_inner(self.0)
    }
}

impl<E> Clone for Error<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: error::Error> error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        Ok(&self.0)
    }
}

/// A coalescing that could not be set up.
///
/// ```
/// use msf_resilience::coalesce::{Coalesce, InvalidCoalesce};
///
/// let error = Coalesce::<u8, u8>::builder("prices").max_keys(0).build().unwrap_err();
/// assert_eq!(error, InvalidCoalesce::MaxKeys(0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCoalesce {
    /// The name is empty, longer than 128 bytes or holds a control character.
    #[error("the name of a coalescing must be 1 to 128 bytes without control characters")]
    Name,
    /// No key could ever be shared, or more than a process can hold.
    #[error("the keys under way at once must be 1 to 1000000, not {0}")]
    MaxKeys(usize),
    /// A follower would never wait, or longer than anybody does.
    #[error("the patience of a follower must be from 1 ms to 10 min, not {0:?}")]
    Patience(Duration),
    /// A body above the limit of what is kept in memory for followers.
    #[error("the bound of a shared body must be at most 64 MiB, not {0} bytes")]
    MaxBody(usize),
    /// The metrics could not be registered.
    #[error("the metrics of the coalescing could not be registered")]
    Metrics(#[from] MetricsError),
}
