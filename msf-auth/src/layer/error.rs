//! What can go wrong around and inside.

use msf_core::{metrics::MetricsError, problem::Problem};
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

/// A layer that could not decide.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAuthLayer {
    /// The policy names path parameters, and the layer has none to give.
    #[error("the policy names path parameters: use `AuthLayerBuilder::params`, or `SecureRouter`")]
    NoPathParams,
    /// The policy names an external decision, and there is no decider of this name.
    #[error(
        "the policy names the external decision `{name}`, and there is no decider of this name"
    )]
    NoDecider {
        /// The name.
        name: Box<str>,
    },
    /// The policy takes a subject for a user, and users of several issuers are trusted, or of whomever an edge trusts.
    #[error(
        "the policy has `owner(..)` and users of more than one issuer may call: use `owner_of`, or for an edge \
         `TrustedIssuer::users_of`"
    )]
    OwnerWithoutIssuer,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}
