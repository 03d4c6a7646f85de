//! Why a refresh token was not issued or exchanged.

use std::time::Duration;

use msf_core::problem::{Code, Problem};
use thiserror::Error;

use crate::store::StoreError;

/// Settings under which nobody stays logged in, or a thief for too long.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRefreshPolicy {
    /// A duration is out of range.
    #[error("`{field}` must be between {min:?} and {max:?}")]
    Duration {
        /// The field.
        field: &'static str,
        /// The least that it may be.
        min: Duration,
        /// The most that it may be.
        max: Duration,
    },
    /// The number of sessions is out of range.
    #[error("`families_max` must be between 1 and 1000")]
    Families,
}

/// A [`Grant`](super::Grant) that is not one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidGrant {
    /// The text is empty or too long.
    #[error("`{field}` must have between 1 and {max} bytes")]
    Length {
        /// The field.
        field: &'static str,
        /// The most bytes that it may have.
        max: usize,
    },
    /// A scope has characters that RFC 6749 section 3.3 does not allow, or there are more than 64 of them.
    #[error("the scopes are not at most 64 of RFC 6749")]
    Scopes,
    /// The claims have more than 4 KiB, or are nested more than 32 deep.
    #[error("the claims have more than 4 KiB, or are nested more than 32 deep")]
    Claims,
    /// The issuer sets the claim itself, so no access token could be signed.
    #[error("the claim `{name}` is set by the issuer")]
    Claim {
        /// The claim.
        name: Box<str>,
    },
}

/// A refresh token was not issued or exchanged.
///
/// A client is told no more than [`is_refused`](Self::is_refused): `invalid_grant` of RFC 6749 section 5.2.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// It is no token of ours, or one of a family that is gone.
    #[error("the refresh token is not known")]
    Unknown,
    /// It was not used for too long, or its login is too long ago.
    #[error("the refresh token has expired")]
    Expired,
    /// Its family was revoked.
    #[error("the refresh token was revoked")]
    Revoked,
    /// It was used before: one of its two holders stole it. Its family is revoked; what is left are the access tokens of
    /// the session.
    #[error("the refresh token was used before; its session is over")]
    Reused {
        /// Whose session it was.
        subject: Box<str>,
        /// The session.
        session: Box<str>,
    },
    /// It was issued to another client.
    #[error("the refresh token was issued to another client")]
    OtherClient,
    /// More is asked for than was granted: `invalid_scope`. The token is as valid as before.
    #[error("a scope is asked for that was not granted")]
    Scope,
    /// What was to be granted cannot be.
    #[error(transparent)]
    Grant(#[from] InvalidGrant),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Random,
}

impl RefreshError {
    /// Whether it is the token's fault: `invalid_grant`. The user has to log in again.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        match self {
            Self::Unknown
            | Self::Expired
            | Self::Revoked
            | Self::Reused { .. }
            | Self::OtherClient => true,
            Self::Scope | Self::Grant(_) | Self::Store(_) | Self::Random => false,
        }
    }

    /// The word in metrics and audit events.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Reused { .. } => "reused",
            Self::OtherClient => "other_client",
            Self::Scope => "scope",
            Self::Grant(_) => "invalid",
            Self::Store(_) | Self::Random => "failed",
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Store(error) => Self::from(error),
            error if error.is_refused() => Self::new(Code::InvalidToken).with_source(error),
            RefreshError::Scope => Self::new(Code::Forbidden).with_source(error),
            error => Self::new(Code::Internal).with_source(error),
        }
    }
}
