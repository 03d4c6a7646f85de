//! What can go wrong with a database.

use std::{io, time::Duration};

use msf_core::problem::{Code, Problem};
use rusqlite::ErrorCode;

/// Why a transaction was not made; nothing of it was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DbError {
    /// Another process held the write lock for the whole busy timeout.
    #[error("the database is busy")]
    Busy,
    /// The disk, or the space allowed to the database, is full.
    #[error("the disk is full")]
    Full,
    /// The file is not a database, or parts of it make no sense.
    #[error("the database file is damaged or not a database")]
    Corrupt(#[source] rusqlite::Error),
    /// The file cannot be opened, read or written.
    #[error("the database file cannot be used")]
    Io(#[source] rusqlite::Error),
    /// The file is not there and cannot be made.
    #[error("the database file cannot be made")]
    Create(#[source] io::Error),
    /// The file was written by a later version of the program.
    #[error("the database has schema {found}, this program knows up to {known}")]
    NewerSchema {
        /// The number of migrations that the file has seen.
        found: usize,
        /// The number of migrations that there are.
        known: usize,
    },
    /// The queue stayed full.
    #[error("too many transactions wait")]
    Overloaded,
    /// The thread of the database has ended.
    #[error("the database is closed")]
    Closed,
    /// The transaction panicked and was rolled back.
    #[error("the transaction panicked")]
    Panicked,
    /// The thread could not be started.
    #[error("the thread of the database cannot be started")]
    Thread(#[source] io::Error),
    /// A statement failed, such as a constraint that does not hold.
    #[error("a statement failed")]
    Statement(#[source] rusqlite::Error),
}

impl DbError {
    /// Whether a `UNIQUE` or primary key constraint refused the row.
    pub(crate) fn is_duplicate(&self) -> bool {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        matches!(self, Self::Statement(rusqlite::Error::SqliteFailure(error, _))
            if matches!(error.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY))
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error),
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => {
                Self::Io(error)
            }
            _ => Self::Statement(error),
        }
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy | DbError::Full | DbError::Closed => Self::new(Code::Unavailable)
                .with_retry_after(Duration::from_secs(1))
                .with_source(error),
            DbError::Overloaded => Self::new(Code::Overloaded)
                .with_retry_after(Duration::from_secs(1))
                .with_source(error),
            _ => Self::new(Code::Internal).with_source(error),
        }
    }
}
