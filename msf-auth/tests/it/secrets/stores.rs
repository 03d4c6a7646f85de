//! Stores in files, whole and damaged: who writes a secret where its hash belongs is not quoted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use msf_auth::{
    api_key::{ApiKeyStore, SqliteApiKeyStore},
    audit::Audit,
    refresh::{Owner, RefreshStore, SqliteRefreshStore},
    store::{Sqlite, StoreError},
};
use msf_core::{metrics::Metrics, problem::Problem};
use rusqlite::Connection;

use super::{OTHER_PASSWORD, PASSWORD, printed::Printed};

/// A file that goes with the test.
pub(super) struct File(pub(super) PathBuf);

impl File {
    pub(super) fn new() -> Self {
        let name = format!("msf-auth-secrets-{:016x}.db", fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    /// Changes the file behind the back of the store.
    pub(super) fn change(&self, sql: &str, text: &str) {
        let connection = Connection::open(&self.0).unwrap();
        connection.execute(sql, [text]).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            fs::remove_file(format!("{}{end}", self.0.display())).ok();
        }
    }
}

fn failed(printed: &mut Printed, what: &str, error: StoreError) {
    printed.error(what, &error);
    printed.debug(what, &Problem::from(error));
}

pub(super) async fn api_keys(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    let file = File::new();
    let store = SqliteApiKeyStore::open(&file.0).await.unwrap();
    super::api_keys::through(printed, metrics, audit, store.clone()).await;
    let made = store.list("report", 1).await.unwrap().remove(0);
    // A password where the hash belongs, and where the id belongs.
    let text = PASSWORD.repeat(2);
    file.change(
        "UPDATE msf_auth_api_keys SET hash = CAST(?1 AS BLOB)",
        &text,
    );
    failed(printed, "key", store.fetch(made.id).await.unwrap_err());
    printed.debug("list", &store.list("report", 9).await);
    let sql = "UPDATE msf_auth_api_keys SET id = id || ?1";
    file.change(sql, &text);
    printed.debug("list", &store.list("report", 9).await);
}

pub(super) async fn refresh(printed: &mut Printed, metrics: &Metrics, audit: &Audit) {
    let file = File::new();
    let sqlite = Sqlite::open(&file.0).await.unwrap();
    printed.debug("file", &sqlite);
    let store = SqliteRefreshStore::new(&sqlite).await.unwrap();
    printed.debug("store", &store);
    super::refresh(printed, metrics, audit, store.clone()).await;
    let of_seven = Owner::Subject("7");
    let families = store.find(of_seven, 9).await.unwrap();
    printed.debug("families", &families);
    file.change(
        "UPDATE msf_auth_refresh SET family = CAST(?1 AS BLOB)",
        &format!(r#"{{"id":"{PASSWORD}","tag_key":"{OTHER_PASSWORD}"}}"#),
    );
    let fetched = store.fetch(families[0].id()).await;
    failed(printed, "family", fetched.unwrap_err());
    printed.debug("left", &store.find(of_seven, 9).await);
}

/// What is no database is not quoted, and neither is the name of a column.
pub(super) async fn no_database(printed: &mut Printed) {
    let file = File::new();
    fs::write(&file.0, PASSWORD.repeat(100)).unwrap();
    make_private(&file.0);
    failed(printed, "no file", Sqlite::open(&file.0).await.unwrap_err());
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn make_private(_: &Path) {}
