//! Why a store did not do what it was asked for.

use std::{path::PathBuf, time::Duration};

use msf_core::{
    BoxError,
    problem::{Code, Problem},
};
use thiserror::Error;

/// A call of a store failed. Unless it says otherwise, nothing was changed.
///
/// ```
/// use msf_auth::store::StoreError;
/// use msf_core::problem::Problem;
///
/// assert_eq!(Problem::from(StoreError::Full).status(), 503);
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Too many calls wait, or others held the store for longer than a call waits.
    #[error("the store is busy")]
    Busy,
    /// There is no space left, on the disk or within the store's own bound.
    #[error("the store is full: make room, nothing was changed")]
    Full,
    /// There was no answer in time. Whether the change was made is not known.
    #[error("the store did not answer in time")]
    Timeout,
    /// The store was closed, or the program is about to end.
    #[error("the store is closed")]
    Closed,
    /// The store cannot be reached, opened, read or written.
    #[error("the store cannot be used")]
    Io(#[source] BoxError),
    /// The file is no database, or holds what no version of this program writes.
    #[error(
        "the store is damaged: restore it from a copy, or move it away to start with an empty one"
    )]
    Corrupt(#[source] BoxError),
    /// Others than the owner can write the file, so what is in it may be theirs.
    #[error("the store {} can be written by others (mode {mode:o}): set its mode to 600, and look at what is in it", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store was written by a later version of this program.
    #[error(
        "the store `{store}` has version {found}, this program knows up to {known}: update the program"
    )]
    NewerSchema {
        /// What is kept there.
        store: &'static str,
        /// The version that was found.
        found: u32,
        /// The latest version that this program knows.
        known: u32,
    },
    /// The store works and did not do it; a bug.
    #[error("the store failed")]
    Failed(#[source] BoxError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match error {
            StoreError::Busy => Self::new(Code::Overloaded).with_retry_after(RETRY_AFTER),
            StoreError::Full | StoreError::Timeout | StoreError::Closed | StoreError::Io(_) => {
                Self::new(Code::Unavailable).with_retry_after(RETRY_AFTER)
            }
            StoreError::Corrupt(_)
            | StoreError::Permissions { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Failed(_) => Self::new(Code::Internal),
        };
        problem.with_source(error)
    }
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
