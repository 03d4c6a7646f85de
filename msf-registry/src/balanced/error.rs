//! What can happen to a call.

use msf_core::problem::Problem;

use crate::service::NoEndpoints;

/// The error of a call through [`Balanced`](super::Balanced).
///
/// ```
/// use std::io;
/// use msf_registry::balanced::Error;
///
/// let error = Error::Inner(io::Error::other("reset"));
/// assert_eq!(error.to_string(), "reset");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// There was no instance to call, so nothing was sent.
    #[error(transparent)]
    NoEndpoints(NoEndpoints),
    /// The service of the instance failed.
    #[error(transparent)]
    Inner(E),
}

impl<E: Into<Self>> From<Error<E>> for Problem {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::NoEndpoints(nobody) => nobody.into(),
            Error::Inner(inner) => inner.into(),
        }
    }
}
