//! What the stores of this crate share: one error, and the file that those in SQLite are in.
//!
//! Refresh tokens, OAuth clients and API keys are kept behind a trait each, with a store in memory and one in SQLite.
//! Several stores may be in one file, and several processes may have it open:
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), msf_core::BoxError> {
//! use msf_auth::{refresh::SqliteRefreshStore, store::Sqlite};
//!
//! # let dir = std::env::temp_dir().join(format!("msf-auth-store-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! let file = Sqlite::open(dir.join("auth.db")).await?;
//! let refresh = SqliteRefreshStore::new(&file).await?;
//! # drop((file, refresh));
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```
//!
//! # Promises of the file
//!
//! - What was answered is on the disk (`synchronous = FULL`): it survives a crash and a power cut.
//! - Each call is one transaction, so a full disk, a crash or a panic leaves all of it or nothing.
//! - Of several processes readers do not wait for writers (write-ahead log); writers take turns, and wait for each other
//!   for 2 s at most.
//! - One call at a time runs, on a blocking thread; at most 512 run or wait, each for 2 s at most. Then
//!   [`StoreError::Busy`].
//! - The file is made readable by its owner only. One that others can write is refused; one that they can read is opened
//!   with a warning. The directory has to be its owner's too, since SQLite keeps a log beside the file.
//! - A file that was written by a later version is refused and not touched.
//!
//! # Cancel safety
//!
//! A call that is dropped while it waits for its turn does nothing. One whose turn has come runs to its end.

mod error;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(test)]
#[cfg(feature = "sqlite")]
pub(crate) mod testing;

pub use self::error::StoreError;
#[cfg(feature = "sqlite")]
pub use self::sqlite::Sqlite;
#[cfg(feature = "sqlite")]
pub(crate) use self::sqlite::{Fault, Transaction};
