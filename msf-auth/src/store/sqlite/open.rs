//! Opening a file, with other processes doing the same.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{self, Path},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction};

use super::Fault;
use crate::store::StoreError;

pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    let failed = |error: io::Error| StoreError::Io(error.into());
    // A name that SQLite takes for something else, such as `:memory:` or `file:`, does not begin at the root.
    let path = &path::absolute(path).map_err(failed)?;
    create_private(path).map_err(failed)?;
    check_mode(path, &fs::metadata(path).map_err(failed)?)?;
    // It is there by now. SQLite would make one that others may read, where a link leads to nothing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    write_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten, as soon as the log is written back.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the file its owner's only; SQLite gives the files beside it the same mode.
///
/// Under another name first: closing any handle of a database drops the locks that SQLite holds on it elsewhere in
/// this process.
fn create_private(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}", fastrand::u64(..)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(&draft)?);
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whoever can write a row can make themselves anybody. What can be read are hashes, so that is said and no more.
#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        let path = path.to_owned();
        return Err(StoreError::Permissions { path, mode });
    }
    if mode & 0o044 != 0 {
        tracing::warn!(
            target: "msf_auth::store",
            path = %path.display(),
            mode = %format_args!("{mode:o}"),
            "others can read the store: set its mode to 600"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), StoreError> {
    Ok(())
}

/// Switches to the write-ahead log. SQLite does not wait for others here, whatever the busy timeout says.
fn write_ahead(connection: &Connection) -> Result<(), Fault> {
    let mut left = BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && !left.is_zero() =>
            {
                thread::sleep(PAUSE);
                left = left.saturating_sub(PAUSE);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Under the write lock: of two processes that start together one migrates and the other sees it done.
pub(super) fn migrate(
    tx: &Transaction<'_>,
    store: &'static str,
    steps: &[&str],
) -> Result<(), Fault> {
    tx.execute_batch(VERSIONS)?;
    let found = tx
        .query_row(
            "SELECT version FROM msf_auth_versions WHERE store = ?1",
            [store],
            |row| row.get(0),
        )
        .optional()?;
    let found: u32 = found.unwrap_or(0);
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::NewerSchema {
            store,
            found,
            known,
        }
        .into());
    }
    for step in steps.iter().skip(found as usize) {
        tx.execute_batch(step)?;
    }
    tx.execute(
        "INSERT INTO msf_auth_versions (store, version) VALUES (?1, ?2)
         ON CONFLICT (store) DO UPDATE SET version = excluded.version",
        (store, known),
    )?;
    Ok(())
}

/// Several kinds of store share a file, so `user_version` is too little.
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS msf_auth_versions (
    store TEXT PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// How long a writer waits for another process: far above any transaction here, and what a caller waits at most.
const BUSY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);
