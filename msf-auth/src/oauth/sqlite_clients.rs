//! Clients in a file.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use rusqlite::OptionalExtension as _;

use super::{Client, Clients, LookupError, client::is_client_id};
use crate::store::{Fault, Sqlite, StoreError, Transaction};

/// Clients in SQLite. Cloning shares the file.
///
/// See [`store`](crate::store) for what the file promises. It has hashes of secrets and no secret.
///
/// ```
/// use msf_auth::oauth::{Client, Clients, ClientSecret, SqliteClients};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), msf_core::BoxError> {
/// # let dir = std::env::temp_dir().join(format!("msf-auth-clients-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let clients = SqliteClients::open(dir.join("auth.db")).await?;
/// clients.insert(Client::new("order").secret(ClientSecret::generate()?.hash())).await?;
/// assert!(clients.find("order").await?.is_some());
/// assert!(clients.remove("order").await?);
/// assert!(clients.find("order").await?.is_none());
/// # drop(clients);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteClients(Sqlite);

const STEPS: &[&str] = &["CREATE TABLE msf_auth_client (
    id TEXT PRIMARY KEY NOT NULL,
    client TEXT NOT NULL
) STRICT;"];

impl SqliteClients {
    /// Opens a file of its own, and makes it when there is none.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::open`] and [`new`](Self::new).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::new(&Sqlite::open(path).await?).await
    }

    /// Keeps clients in a file that others use too.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`] when it was written by a later version, and what else can be wrong with a file.
    pub async fn new(file: &Sqlite) -> Result<Self, StoreError> {
        file.migrate("clients", STEPS).await?;
        Ok(Self(file.clone()))
    }

    /// Adds a client, or replaces the one of its id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] with the [`InvalidClient`](super::InvalidClient) for one that is none, and all others of
    /// the store.
    pub async fn insert(&self, client: Client) -> Result<(), StoreError> {
        let failed = |error: msf_core::BoxError| StoreError::Failed(error);
        client.check().map_err(|error| failed(error.into()))?;
        let text = serde_json::to_string(&client).map_err(|error| failed(error.into()))?;
        let insert = move |tx: &Transaction<'_>| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO msf_auth_client (id, client) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET client = excluded.client",
            )?;
            insert.execute((client.id(), text))?;
            Ok(())
        };
        self.0.write(insert).await
    }

    /// Removes a client; it gets no token from now on. `false` when it was not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store did not do it.
    pub async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let remove = move |tx: &Transaction<'_>| {
            let mut remove = tx.prepare_cached("DELETE FROM msf_auth_client WHERE id = ?1")?;
            Ok(remove.execute([id])? == 1)
        };
        self.0.write(remove).await
    }
}

#[async_trait]
impl Clients for SqliteClients {
    async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        if !is_client_id(id) {
            return Ok(None);
        }
        let id = id.to_owned();
        let find = move |tx: &Transaction<'_>| {
            let mut select =
                tx.prepare_cached("SELECT client FROM msf_auth_client WHERE id = ?1")?;
            let row: Option<String> = select.query_row([&id], |row| row.get(0)).optional()?;
            row.map(|text| decode(&id, &text)).transpose()
        };
        let found = self.0.read(find).await.map_err(LookupError::new)?;
        Ok(found.map(Arc::new))
    }
}

/// A row that was changed by hand may not allow more than a client that was inserted.
fn decode(id: &str, text: &str) -> Result<Client, Fault> {
    let corrupt = |error: msf_core::BoxError| Fault::from(StoreError::Corrupt(error));
    let client: Client = serde_json::from_str(text).map_err(|error| {
        // Its words may quote the row, and with it a secret that somebody wrote there.
        let (line, column) = (error.line(), error.column());
        corrupt(format!("it is no client, at line {line} column {column}").into())
    })?;
    client.check().map_err(|error| corrupt(error.into()))?;
    if client.id() != id {
        return Err(corrupt("the row is that of another client".into()));
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ClientSecret;

    #[tokio::test]
    async fn clients_stay_and_rows_that_are_none_are_an_error() {
        let name = format!("msf-auth-clients-{:016x}.db", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let clients = SqliteClients::open(&path).await.unwrap();
        let secret = ClientSecret::generate().unwrap();
        let client = Client::new("order").secret(secret.hash());
        clients.insert(client.clone()).await.unwrap();
        let more = client.clone().scopes(["a"]);
        clients.insert(more.clone()).await.unwrap();
        let bad = clients.insert(Client::new("no spaces")).await;
        assert!(matches!(bad, Err(StoreError::Failed(_))));

        let again = SqliteClients::open(&path).await.unwrap();
        assert_eq!(*again.find("order").await.unwrap().unwrap(), more);
        for id in ["ORDER", "order ", "", "x' OR '1'='1"] {
            assert!(again.find(id).await.unwrap().is_none(), "{id}");
        }
        for text in [
            "",
            "{}",
            r#"{"id":"other","token_ttl_s":60}"#,
            r#"{"id":"order","token_ttl_s":0}"#,
        ] {
            let change = move |tx: &Transaction<'_>| {
                tx.execute("UPDATE msf_auth_client SET client = ?1", [text])?;
                Ok(())
            };
            clients.0.write(change).await.unwrap();
            assert!(again.find("order").await.is_err(), "{text}");
        }
        assert!(again.remove("order").await.unwrap());
        assert!(!again.remove("order").await.unwrap());
        for end in ["", "-wal", "-shm"] {
            std::fs::remove_file(format!("{}{end}", path.display())).ok();
        }
    }
}
