//! Opening a file: pragmas and migrations, with other processes doing the same.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::DbError;

pub(super) fn open(path: &Path, migrations: &[&str]) -> Result<Connection, DbError> {
    create_private(path).map_err(DbError::Create)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    wal(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection, migrations)?;
    Ok(connection)
}

/// Makes the file its owner's only; SQLite gives the files beside it the same mode.
///
/// Under another name first: closing any handle of a database drops the locks that SQLite holds on it
/// elsewhere in this process.
fn create_private(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let draft = path.with_extension(uuid::Uuid::now_v7().to_string());
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

/// Switches to WAL. SQLite does not wait for others here, whatever the busy timeout says.
fn wal(connection: &Connection) -> Result<(), DbError> {
    let pause = Duration::from_millis(10);
    let mut left = BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && !left.is_zero() =>
            {
                thread::sleep(pause);
                left = left.saturating_sub(pause);
            }
            other => return Ok(other?),
        }
    }
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), DbError> {
    // Under the write lock: of two processes that start together one migrates and one sees it done.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: isize = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = found.unsigned_abs();
    let known = migrations.len();
    if found > known {
        return Err(DbError::NewerSchema { found, known });
    }
    for migration in &migrations[found..] {
        tx.execute_batch(migration)?;
    }
    if found < known {
        tx.pragma_update(None, "user_version", known.cast_signed())?;
    }
    Ok(tx.commit()?)
}

/// How long a writer waits for another: far above any transaction here, below a client's patience.
const BUSY: Duration = Duration::from_secs(5);
