//! What can go wrong around and inside.

use msf_core::problem::Problem;
use thiserror::Error;

use crate::refusal::Refusal;

/// The error of [`Auth`](super::Auth).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The caller may not pass; the inner service was not called.
    #[error(transparent)]
    Refused(Refusal),
    /// The inner service failed.
    #[error(transparent)]
    Inner(E),
}

impl<E> From<Error<E>> for Problem
where
    Self: From<E>,
{
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Inner(error) => error.into(),
        }
    }
}

/// A policy names path parameters, and the layer has none to give.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the policy names path parameters: use `AuthLayer::with_params`, or `SecureRouter`")]
#[non_exhaustive]
pub struct NoPathParams;
