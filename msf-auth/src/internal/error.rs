//! Why a token was not minted.

use msf_core::metrics::MetricsError;
use thiserror::Error;

use crate::issue::IssueError;

/// A token for inside was not minted; the call must not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InternalTokenError {
    /// The caller's token has ended since it was verified; a verifier with a leeway still takes it for a moment.
    #[error("the caller's token has ended")]
    Expired,
    /// Too many act for one another.
    #[error("a call goes through at most {max} that act for one another")]
    Actors {
        /// How many may.
        max: usize,
    },
    /// It could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// A setting of [`InternalTokensBuilder`](super::InternalTokensBuilder) cannot work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidInternalTokens {
    /// The life is out of range.
    #[error("ttl must be between 5 s and 5 min, and not above what the ring of the issuer allows")]
    Ttl,
    /// A token would be given when it has nearly ended.
    #[error("keep must be at most half of ttl")]
    Keep,
    /// A claim that is always set cannot be carried.
    #[error("the claim `{0}` is set for every token: do not carry it")]
    Claim(Box<str>),
    /// The metrics clash with others.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}
