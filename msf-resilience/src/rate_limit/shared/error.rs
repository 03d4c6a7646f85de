//! Why a shared limit did not let a request pass.

use msf_core::{
    classify::Classification,
    problem::{Code, Problem},
};

use crate::{
    LayerError,
    rate_limit::{decision::Refused, store::StoreError},
};

/// The limit refused, or nobody decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The limit refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store did not decide.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The error of the typed layer.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a call was made or it was not; callers match both"
)]
pub enum Error<E> {
    /// The call was not made.
    #[error(transparent)]
    Limited(SharedError),
    /// The call was made and failed.
    #[error(transparent)]
    Inner(E),
}

impl From<SharedError> for Problem {
    fn from(error: SharedError) -> Self {
        match error {
            SharedError::Refused(refused) => refused.into(),
            SharedError::Store(error) => Self::new(Code::Unavailable).with_source(error),
        }
    }
}

impl<E> LayerError for Error<E> {
    type Inner = E;

    fn inner(&self) -> Result<&E, Classification> {
        let wait = match self {
            Self::Inner(error) => return Ok(error),
            Self::Limited(SharedError::Refused(
                Refused::Limited(limited) | Refused::QueueFull(limited),
            )) => Some(limited.retry_after()),
            Self::Limited(SharedError::Refused(Refused::TooCostly(_)) | SharedError::Store(_)) => {
                None
            }
        };
        Err(Classification::IGNORE.retry_after(wait).refused(true))
    }
}
