//! The file: who may open it, and what happens to it under load.

use std::{fs, sync::mpsc, time::Duration};

use msf_core::task;
use rusqlite::Connection;

use super::*;
use crate::store::testing::TempDir;

const STEPS: &[&str] = &["CREATE TABLE t (v INTEGER NOT NULL CHECK (v >= 0)) STRICT"];

const LATER: &[&str] = &[STEPS[0], "CREATE TABLE u (v INTEGER)"];

async fn file(dir: &TempDir) -> Sqlite {
    let file = Sqlite::open(dir.path().join("t.db")).await.unwrap();
    file.migrate("t", STEPS).await.unwrap();
    file
}

fn add(tx: &Transaction<'_>, v: i64) -> Result<(), Fault> {
    tx.execute("INSERT INTO t (v) VALUES (?1)", [v])?;
    Ok(())
}

async fn sum(file: &Sqlite) -> i64 {
    let sum = |tx: &Transaction<'_>| {
        Ok(tx.query_row("SELECT coalesce(sum(v), 0) FROM t", [], |row| row.get(0))?)
    };
    file.read(sum).await.unwrap()
}

#[tokio::test]
async fn ok_commits_and_err_rolls_back() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    file.write(|tx| add(tx, 1)).await.unwrap();
    let refused = file.write(|tx| {
        add(tx, 2)?;
        add(tx, -1)
    });
    assert!(matches!(refused.await, Err(StoreError::Failed(_))));
    assert_eq!(sum(&file).await, 1);
}

#[tokio::test]
async fn a_panic_rolls_back_and_the_file_goes_on() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    let panicked = file.write::<()>(|tx| {
        add(tx, 5)?;
        panic!("on purpose")
    });
    assert!(matches!(panicked.await, Err(StoreError::Failed(_))));
    file.write(|tx| add(tx, 1)).await.unwrap();
    assert_eq!(sum(&file).await, 1);
}

#[tokio::test]
async fn a_dropped_call_is_whole_or_absent() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let running = spawn(&file, move |tx| {
        begun.send(()).unwrap();
        add(tx, 1)?;
        may_go_on.recv().unwrap();
        add(tx, 2)
    });
    let started = tokio::task::spawn_blocking(move || has_begun.recv().unwrap());
    started.await.unwrap();
    let waiting = spawn(&file, |tx| add(tx, 40));
    tokio::task::yield_now().await;
    drop((waiting, running));
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    assert_eq!(sum(&file).await, 3);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_or_behind_too_many_is_told() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    // Nobody gives this turn back.
    let held = file.0.turn.clone().acquire_owned().await.unwrap();
    let start = time::Instant::now();
    assert!(matches!(
        file.write(|tx| add(tx, 1)).await,
        Err(StoreError::Busy)
    ));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    let waiting: Vec<_> = (0..CALLS_MAX)
        .map(|_| spawn(&file, |tx| add(tx, 1)))
        .collect();
    while file.0.places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let start = time::Instant::now();
    assert!(matches!(
        file.write(|tx| add(tx, 1)).await,
        Err(StoreError::Busy)
    ));
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(waiting);
    while file.0.places.available_permits() < CALLS_MAX {
        tokio::task::yield_now().await;
    }
    drop(held);
    assert_eq!(sum(&file).await, 0);
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_busy() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    let mut other = Connection::open(dir.path().join("t.db")).unwrap();
    let held = other
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .unwrap();
    assert!(matches!(
        file.write(|tx| add(tx, 1)).await,
        Err(StoreError::Busy)
    ));
    drop(held);
    file.write(|tx| add(tx, 1)).await.unwrap();
    assert_eq!(sum(&file).await, 1);
}

#[tokio::test]
async fn what_is_no_database_is_said_and_kept() {
    let dir = TempDir::new();
    let path = dir.path().join("t.db");
    fs::write(&path, "not a database, but somebody's file".repeat(100)).unwrap();
    let opened = Sqlite::open(&path).await;
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .starts_with("not a database")
    );
    let opened = Sqlite::open(dir.path().join("no/such/directory")).await;
    assert!(matches!(opened, Err(StoreError::Io(_))), "{opened:?}");
}

#[tokio::test]
async fn a_file_of_a_later_version_is_not_touched() {
    let dir = TempDir::new();
    let file = file(&dir).await;
    file.migrate("t", LATER).await.unwrap();
    file.migrate("other", &[]).await.unwrap();
    let refused = file.migrate("t", STEPS).await;
    assert!(matches!(
        refused,
        Err(StoreError::NewerSchema {
            store: "t",
            found: 2,
            known: 1
        })
    ));
    let broken = file.migrate("v", &["CREATE TABLE v (v INTEGER)", "not SQL"]);
    assert!(matches!(broken.await, Err(StoreError::Failed(_))));
    let tables = |tx: &Transaction<'_>| {
        let names = "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'";
        Ok(tx.query_row(names, [], |row| row.get::<_, String>(0))?)
    };
    let tables = file.read(tables).await.unwrap();
    assert_eq!(tables, "msf_auth_versions,t,u");
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let dir = TempDir::new();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let path = dir.path().join("t.db");
            task::spawn("open", async move {
                let file = Sqlite::open(path).await.unwrap();
                file.migrate("t", STEPS).await.unwrap();
                file.write(|tx| add(tx, 1)).await.unwrap();
                file
            })
        })
        .collect();
    let mut files = Vec::new();
    for opening in opening {
        files.push(opening.join().await.unwrap());
    }
    assert_eq!(sum(&files[0]).await, 8);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = TempDir::new();
    let file = file(&dir).await;
    file.write(|tx| add(tx, 1)).await.unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = TempDir::new();
    drop(file(&dir).await);
    let path = dir.path().join("t.db");
    for mode in [0o660, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = Sqlite::open(&path).await.unwrap_err();
        assert!(refused.to_string().contains("set its mode to 600"));
        assert!(matches!(refused, StoreError::Permissions { mode: found, .. } if found == mode));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(Sqlite::open(&path).await.is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_nothing_makes_no_file_that_others_can_read() {
    let dir = TempDir::new();
    let (path, target) = (dir.path().join("t.db"), dir.path().join("target.db"));
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let opened = Sqlite::open(&path).await;
    assert!(matches!(opened, Err(StoreError::Io(_))), "{opened:?}");
    assert!(!target.exists());
}

/// SQLite takes such a name for a database in memory, which would be gone with the process.
#[cfg(unix)]
#[tokio::test]
async fn a_name_is_that_of_a_file_whatever_it_is() {
    let name = format!("file:msf-auth-{}?mode=memory", std::process::id());
    let file = Sqlite::open(&name).await.unwrap();
    file.migrate("t", STEPS).await.unwrap();
    drop(file);
    let len = fs::metadata(&name).map(|metadata| metadata.len());
    fs::remove_file(&name).unwrap();
    assert!(len.unwrap() > 0);
}

fn spawn(
    file: &Sqlite,
    work: impl FnOnce(&Transaction<'_>) -> Result<(), Fault> + Send + 'static,
) -> task::Task<Result<(), StoreError>> {
    let file = file.clone();
    task::spawn("write", async move { file.write(work).await })
}
