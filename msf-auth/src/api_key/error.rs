//! Why a key was not accepted, made or revoked.

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};
use thiserror::Error;

use crate::{
    store::StoreError,
    verify::{Reason, VerifyError},
};

/// A key was not accepted, or a call on keys failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The key is none, or is not accepted any more. Which, only audit and metrics know.
    #[error("the API key was not accepted")]
    Refused(ApiKeyRefusal),
    /// What a new key was asked to say cannot be said.
    #[error("`{field}` of an API key {rule}")]
    Invalid {
        /// Which part.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The store did not do it.
    #[error("the store of API keys failed")]
    Store(#[from] StoreError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Why a key was not accepted; for audit and metrics, never for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiKeyRefusal {
    /// It does not have the form of a key.
    Form,
    /// It is of another environment.
    Environment,
    /// There is no key with its id.
    Unknown,
    /// The id is one, the secret is not.
    Secret,
    /// It was revoked.
    Revoked,
    /// It is over.
    Expired,
}

impl ApiKeyRefusal {
    /// Every reason.
    pub const ALL: &[Self] = &[
        Self::Form,
        Self::Environment,
        Self::Unknown,
        Self::Secret,
        Self::Revoked,
        Self::Expired,
    ];

    /// The word in audit and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Environment => "environment",
            Self::Unknown => "unknown",
            Self::Secret => "secret",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Settings of [`ApiKeys`](super::ApiKeys) that cannot work.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidApiKeys {
    /// The environment is not 1 to 16 lower-case letters or digits.
    #[error("the environment of API keys has 1 to 16 lower-case letters or digits")]
    Environment,
    /// The issuer is empty.
    #[error("API keys need the name of an issuer")]
    Issuer,
    /// Records would be kept for longer than five minutes.
    #[error("what is known of an API key is kept for 5 min at most")]
    Keep,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl From<ApiKeyError> for VerifyError {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::Refused(_) => Reason::ApiKey.into(),
            ApiKeyError::Store(_) | ApiKeyError::Invalid { .. } | ApiKeyError::Random => {
                Reason::ApiKeysUnavailable.into()
            }
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::Refused(reason) => {
                Self::new(Code::InvalidToken).with_log_detail(reason.as_str())
            }
            ApiKeyError::Invalid { .. } => {
                Self::new(Code::ValidationFailed).with_detail(error.to_string())
            }
            ApiKeyError::Store(error) => error.into(),
            ApiKeyError::Random => Self::new(Code::Internal).with_source(error),
        }
    }
}
