//! Families in an SQLite file.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, named_params};

use super::{Family, FamilyId, InvalidFamily, Owner, RefreshStore};
use crate::store::{Fault, Sqlite, StoreError, Transaction};

/// Keeps families in an SQLite file, which several processes may share; see [`store`](crate::store) for what it
/// promises. Cloning shares the connection.
///
/// ```
/// use msf_auth::refresh::{RefreshPolicy, RefreshTokens, SqliteRefreshStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let dir = std::env::temp_dir().join(format!("msf-auth-refresh-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let store = SqliteRefreshStore::open(dir.join("sessions.db")).await?;
/// let tokens = RefreshTokens::new(store, RefreshPolicy::default())?;
/// let _sweeping = tokens.keep_swept();
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteRefreshStore(Sqlite);

impl SqliteRefreshStore {
    /// Opens a file of its own, and makes it when there is none.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`] and [`new`](Self::new).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::new(&Sqlite::open(path).await?).await
    }

    /// Keeps families in a file that others use too.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`] when it was written by a later version, and what else can be wrong with a file.
    pub async fn new(file: &Sqlite) -> Result<Self, StoreError> {
        file.migrate("refresh", STEPS).await?;
        Ok(Self(file.clone()))
    }
}

const STEPS: &[&str] = &["CREATE TABLE msf_auth_refresh (
    id BLOB PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    session TEXT NOT NULL,
    is_revoked INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    family BLOB NOT NULL
) STRICT;
CREATE INDEX msf_auth_refresh_subject ON msf_auth_refresh (subject, is_revoked, used_ms, id);
CREATE INDEX msf_auth_refresh_session ON msf_auth_refresh (session, is_revoked, used_ms, id);
CREATE INDEX msf_auth_refresh_due ON msf_auth_refresh (due_ms);"];

#[async_trait]
impl RefreshStore for SqliteRefreshStore {
    async fn insert(&self, family: Family) -> Result<bool, StoreError> {
        let insert = move |tx: &Transaction<'_>| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO msf_auth_refresh
                    (id, version, subject, session, is_revoked, used_ms, due_ms, family)
                 VALUES (:id, :version, :subject, :session, :is_revoked, :used_ms, :due_ms, :family)
                 ON CONFLICT (id) DO NOTHING",
            )?;
            let inserted = insert.execute(named_params! {
                ":id": family.id().as_bytes(),
                ":version": number(family.version()),
                ":subject": family.subject(),
                ":session": family.session(),
                ":is_revoked": family.is_revoked(),
                ":used_ms": number(family.used_ms()),
                ":due_ms": number(family.due_ms()),
                ":family": family.encode(),
            })?;
            Ok(inserted == 1)
        };
        self.0.write(insert).await
    }

    async fn fetch(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        let fetch = move |tx: &Transaction<'_>| {
            let mut select =
                tx.prepare_cached("SELECT id, family FROM msf_auth_refresh WHERE id = ?1")?;
            let row = select.query_row([id.as_bytes()], columns).optional()?;
            row.map(decode).transpose()
        };
        self.0.read(fetch).await
    }

    async fn replace(&self, family: Family) -> Result<bool, StoreError> {
        let Some(expected) = family.version().checked_sub(1) else {
            return Ok(false);
        };
        let replace = move |tx: &Transaction<'_>| {
            let mut update = tx.prepare_cached(
                "UPDATE msf_auth_refresh
                 SET version = :version, is_revoked = :is_revoked, used_ms = :used_ms,
                     due_ms = :due_ms, family = :family
                 WHERE id = :id AND version = :expected",
            )?;
            let updated = update.execute(named_params! {
                ":id": family.id().as_bytes(),
                ":expected": number(expected),
                ":version": number(family.version()),
                ":is_revoked": family.is_revoked(),
                ":used_ms": number(family.used_ms()),
                ":due_ms": number(family.due_ms()),
                ":family": family.encode(),
            })?;
            Ok(updated == 1)
        };
        self.0.write(replace).await
    }

    async fn remove(&self, id: FamilyId, version: u64) -> Result<bool, StoreError> {
        let remove = move |tx: &Transaction<'_>| {
            let mut delete =
                tx.prepare_cached("DELETE FROM msf_auth_refresh WHERE id = ?1 AND version = ?2")?;
            let deleted = delete.execute((id.as_bytes(), number(version)))?;
            Ok(deleted == 1)
        };
        self.0.write(remove).await
    }

    async fn find(&self, owner: Owner<'_>, limit: usize) -> Result<Vec<Family>, StoreError> {
        let (query, name) = match owner {
            Owner::Session(session) => (
                "SELECT id, family FROM msf_auth_refresh WHERE session = ?1
                 ORDER BY is_revoked, used_ms, id",
                session.to_owned(),
            ),
            Owner::Subject(subject) => (
                "SELECT id, family FROM msf_auth_refresh WHERE subject = ?1
                 ORDER BY is_revoked, used_ms, id",
                subject.to_owned(),
            ),
        };
        let find = move |tx: &Transaction<'_>| {
            let mut select = tx.prepare_cached(query)?;
            readable(select.query_map([name], columns)?, limit)
        };
        self.0.read(find).await
    }

    async fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Family>, StoreError> {
        let due = move |tx: &Transaction<'_>| {
            let mut select = tx.prepare_cached(
                "SELECT id, family FROM msf_auth_refresh WHERE due_ms <= ?1
                 ORDER BY due_ms",
            )?;
            readable(select.query_map([number(now_ms)], columns)?, limit)
        };
        self.0.read(due).await
    }
}

fn columns(row: &Row<'_>) -> rusqlite::Result<([u8; 16], Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn decode((id, family): ([u8; 16], Vec<u8>)) -> Result<Family, Fault> {
    let corrupt = |error: InvalidFamily| StoreError::Corrupt(error.into());
    let family = Family::decode(&family).map_err(corrupt)?;
    if *family.id().as_bytes() != id {
        // A row that was copied over another would give its tokens to somebody else.
        return Err(corrupt(InvalidFamily).into());
    }
    Ok(family)
}

/// One row that was damaged hides no other: it lets nobody in, and must not keep sessions from being ended or swept. So
/// the limit is of rows that can be read; the indexes give them in their order, and no more than are asked for.
fn readable(
    mut rows: impl Iterator<Item = rusqlite::Result<([u8; 16], Vec<u8>)>>,
    limit: usize,
) -> Result<Vec<Family>, Fault> {
    let (mut families, mut damaged) = (Vec::new(), 0_u64);
    while families.len() < limit
        && let Some(row) = rows.next()
    {
        match decode(row?) {
            Ok(family) => families.push(family),
            Err(_) => damaged += 1,
        }
    }
    if damaged > 0 {
        tracing::error!(
            target: "msf_auth::refresh",
            damaged,
            "sessions in the store are damaged and left out"
        );
    }
    Ok(families)
}

/// SQLite's integers are signed. Times and versions above its range are ends that nobody sees.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
