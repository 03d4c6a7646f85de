//! Why a password was not hashed or compared.

use std::time::Duration;

use msf_core::{
    metrics::MetricsError,
    problem::{Code, Problem},
};
use thiserror::Error;

/// Settings that argon2 does not take, or that let nobody in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPasswordConfig {
    /// Memory, passes or lanes are out of range.
    #[error("argon2 does not take these settings, or they are above 1 GiB, 64 passes or 64 lanes")]
    Cost,
    /// No hash may run.
    #[error("at least one hash must be allowed at a time")]
    Concurrency,
    /// Two peppers have one id.
    #[error("two peppers have the same id")]
    Pepper,
    /// The metrics could not be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A password was neither hashed nor compared.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is above 1024 bytes.
    #[error("the password is above 1024 bytes")]
    TooLong,
    /// Too many wait, or the turn did not come in time.
    #[error("too many passwords are being checked")]
    Busy,
    /// The stored text is no argon2id hash of a pepper that is known, nor of a form that was added, or it would cost more
    /// than 1 GiB, 64 passes or 64 lanes.
    #[error("the stored hash cannot be used")]
    StoredHash,
    /// There is no memory or no randomness, or the runtime is going down.
    #[error("the password could not be hashed")]
    Failed,
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooLong => {
                Self::new(Code::ValidationFailed).with_detail("the password is above 1024 bytes")
            }
            PasswordError::Busy => Self::new(Code::Overloaded).with_retry_after(RETRY_AFTER),
            PasswordError::StoredHash | PasswordError::Failed => Self::new(Code::Internal),
        }
        .with_source(error)
    }
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
