//! Keys in an SQLite file.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, named_params};

use super::{ApiKeyId, ApiKeyRecord, ApiKeyStore};
use crate::store::{Fault, Sqlite, StoreError, Transaction};

/// Keeps keys in an SQLite file, which several processes may share; see [`store`](crate::store) for what it promises.
/// Cloning shares the connection.
///
/// ```
/// use msf_auth::api_key::{ApiKeys, SqliteApiKeyStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let dir = std::env::temp_dir().join(format!("msf-auth-api-keys-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let store = SqliteApiKeyStore::open(dir.join("api-keys.db")).await?;
/// let keys = ApiKeys::builder("https://user.shop", store).build()?;
/// # drop(keys);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteApiKeyStore(Sqlite);

impl SqliteApiKeyStore {
    /// Opens a file of its own, and makes it when there is none.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`] and [`new`](Self::new).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::new(&Sqlite::open(path).await?).await
    }

    /// Keeps keys in a file that others use too.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`] when it was written by a later version, and what else can be wrong with a file.
    pub async fn new(file: &Sqlite) -> Result<Self, StoreError> {
        file.migrate("api_keys", STEPS).await?;
        Ok(Self(file.clone()))
    }
}

const STEPS: &[&str] = &["CREATE TABLE msf_auth_api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    hash BLOB NOT NULL,
    subject TEXT NOT NULL,
    is_service INTEGER NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    tenant TEXT,
    created_s INTEGER NOT NULL,
    expires_s INTEGER,
    revoked_s INTEGER,
    used_s INTEGER
) STRICT;
CREATE INDEX msf_auth_api_keys_subject ON msf_auth_api_keys (subject, created_s DESC, id);
CREATE INDEX msf_auth_api_keys_expires ON msf_auth_api_keys (expires_s);
CREATE INDEX msf_auth_api_keys_revoked ON msf_auth_api_keys (revoked_s);"];

#[async_trait]
impl ApiKeyStore for SqliteApiKeyStore {
    async fn insert(&self, record: ApiKeyRecord) -> Result<bool, StoreError> {
        let insert = move |tx: &Transaction<'_>| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO msf_auth_api_keys (id, hash, subject, is_service, name, scope, tenant,
                    created_s, expires_s, revoked_s, used_s)
                 VALUES (:id, :hash, :subject, :is_service, :name, :scope, :tenant,
                    :created_s, :expires_s, :revoked_s, :used_s)
                 ON CONFLICT (id) DO NOTHING",
            )?;
            let inserted = insert.execute(named_params! {
                ":id": record.id.as_str(),
                ":hash": record.hash,
                ":subject": record.subject,
                ":is_service": record.is_service,
                ":name": record.name,
                ":scope": record.scope,
                ":tenant": record.tenant,
                ":created_s": number(record.created_s),
                ":expires_s": record.expires_s.map(number),
                ":revoked_s": record.revoked_s.map(number),
                ":used_s": record.used_s.map(number),
            })?;
            Ok(inserted == 1)
        };
        self.0.write(insert).await
    }

    async fn fetch(&self, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        let fetch = move |tx: &Transaction<'_>| {
            let mut select = tx.prepare_cached(
                "SELECT id, hash, subject, is_service, name, scope, tenant, created_s, expires_s,
                    revoked_s, used_s FROM msf_auth_api_keys WHERE id = ?1",
            )?;
            let row = select.query_row([id.as_str()], |row| Ok(decode(row)));
            row.optional()?.transpose()
        };
        self.0.read(fetch).await
    }

    async fn revoke(&self, id: ApiKeyId, now_s: u64) -> Result<bool, StoreError> {
        let revoke = move |tx: &Transaction<'_>| {
            let mut update = tx.prepare_cached(
                "UPDATE msf_auth_api_keys SET revoked_s = coalesce(revoked_s, ?2) WHERE id = ?1",
            )?;
            Ok(update.execute((id.as_str(), number(now_s)))? == 1)
        };
        self.0.write(revoke).await
    }

    async fn used(&self, id: ApiKeyId, now_s: u64) -> Result<(), StoreError> {
        let used = move |tx: &Transaction<'_>| {
            let mut update = tx.prepare_cached(
                "UPDATE msf_auth_api_keys SET used_s = max(coalesce(used_s, 0), ?2) WHERE id = ?1",
            )?;
            update.execute((id.as_str(), number(now_s)))?;
            Ok(())
        };
        self.0.write(used).await
    }

    async fn list(&self, subject: &str, limit: usize) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let subject = subject.to_owned();
        let list = move |tx: &Transaction<'_>| {
            let mut select = tx.prepare_cached(
                "SELECT id, hash, subject, is_service, name, scope, tenant, created_s, expires_s,
                    revoked_s, used_s FROM msf_auth_api_keys WHERE subject = ?1
                 ORDER BY created_s DESC, id",
            )?;
            let mut rows = select.query_map([subject], |row| Ok(decode(row)))?;
            let mut records = Vec::new();
            while records.len() < limit
                && let Some(row) = rows.next()
            {
                match row? {
                    Ok(record) => records.push(record),
                    // It lets nobody in, and must not keep the others from being seen and revoked.
                    Err(_) => tracing::error!("an API key in the store is damaged and left out"),
                }
            }
            Ok(records)
        };
        self.0.read(list).await
    }

    async fn remove_before(&self, time_s: u64) -> Result<usize, StoreError> {
        let remove = move |tx: &Transaction<'_>| {
            let mut delete = tx.prepare_cached(
                "DELETE FROM msf_auth_api_keys WHERE revoked_s < ?1 OR expires_s < ?1",
            )?;
            Ok(delete.execute([number(time_s)])?)
        };
        self.0.write(remove).await
    }
}

fn decode(row: &Row<'_>) -> Result<ApiKeyRecord, Fault> {
    let id: String = row.get(0)?;
    let id = ApiKeyId::parse(&id)
        .ok_or_else(|| StoreError::Corrupt("an id of an API key is none".into()))?;
    let time = |column| -> Result<Option<u64>, Fault> {
        let time: Option<i64> = row.get(column)?;
        Ok(time.map(|time| u64::try_from(time).unwrap_or(0)))
    };
    Ok(ApiKeyRecord {
        id,
        hash: row.get(1)?,
        subject: row.get(2)?,
        is_service: row.get(3)?,
        name: row.get(4)?,
        scope: row.get(5)?,
        tenant: row.get(6)?,
        created_s: time(7)?.unwrap_or(0),
        expires_s: time(8)?,
        revoked_s: time(9)?,
        used_s: time(10)?,
    })
}

/// SQLite's integers are signed. Times above its range are ends that nobody sees.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
