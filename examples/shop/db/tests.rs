//! The database under rollbacks, panics, dropped writes, several processes and a full disk.

use std::{fs, sync::Arc};

use super::*;
use crate::testing::TempDir;

const SCHEMA: &[&str] = &["CREATE TABLE t (v INTEGER NOT NULL CHECK (v >= 0), text TEXT)"];

async fn db(dir: &TempDir) -> Db {
    Db::open(dir.path().join("t.db"), SCHEMA).await.unwrap()
}

fn add(tx: &Transaction<'_>, v: i64) -> Result<(), DbError> {
    tx.execute("INSERT INTO t (v) VALUES (?1)", [v])?;
    Ok(())
}

async fn sum(db: &Db) -> i64 {
    db.read::<_, DbError>(|tx| {
        Ok(tx.query_row("SELECT coalesce(sum(v), 0) FROM t", [], |row| row.get(0))?)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn ok_commits_and_err_rolls_back() {
    let dir = TempDir::new();
    let db = db(&dir).await;
    db.write(|tx| add(tx, 1)).await.unwrap();
    let refused = db
        .write(|tx| {
            add(tx, 2)?;
            add(tx, -1)
        })
        .await;
    assert!(matches!(refused, Err(DbError::Statement(_))));
    assert_eq!(sum(&db).await, 1);
}

#[tokio::test]
async fn a_panic_rolls_back_and_the_database_goes_on() {
    let dir = TempDir::new();
    let db = db(&dir).await;
    let panicked = db
        .write::<(), DbError>(|tx| {
            add(tx, 5)?;
            panic!("on purpose")
        })
        .await;
    assert!(matches!(panicked, Err(DbError::Panicked)));
    db.write(|tx| add(tx, 1)).await.unwrap();
    assert_eq!(sum(&db).await, 1);
}

#[tokio::test]
async fn a_dropped_write_is_whole_or_absent() {
    let dir = TempDir::new();
    let db = db(&dir).await;
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let running = tokio_task(db.clone(), move |tx| {
        begun.send(()).unwrap();
        add(tx, 1)?;
        may_go_on.recv().unwrap();
        add(tx, 2)
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    // This one waits in the queue behind it.
    let waiting = tokio_task(db.clone(), |tx| add(tx, 40));
    tokio::task::yield_now().await;
    drop(waiting);
    drop(running);
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    assert_eq!(sum(&db).await, 3);
}

fn tokio_task(
    db: Db,
    work: impl FnOnce(&Transaction<'_>) -> Result<(), DbError> + Send + 'static,
) -> msf_core::task::Task<Result<(), DbError>> {
    msf_core::task::spawn("write", async move { db.write(work).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_open_the_same_new_file_together_all_succeed() {
    let dir = Arc::new(TempDir::new());
    let opens: Vec<_> = (0..8)
        .map(|_| {
            let path = dir.path().join("t.db");
            msf_core::task::spawn("open", async move {
                let db = Db::open(path, SCHEMA).await?;
                for _ in 0..10 {
                    db.write(|tx| add(tx, 1)).await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .collect();
    for open in opens {
        open.join().await.unwrap().unwrap();
    }
    assert_eq!(sum(&db(&dir).await).await, 80);
}

#[tokio::test]
async fn a_file_that_is_no_database_says_so() {
    let dir = TempDir::new();
    fs::write(
        dir.path().join("t.db"),
        "this is not a database".repeat(100),
    )
    .unwrap();
    let opened = Db::open(dir.path().join("t.db"), SCHEMA).await;
    assert!(matches!(opened, Err(DbError::Corrupt(_))), "{opened:?}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_its_own_and_loses_nothing() {
    let dir = TempDir::new();
    let db = db(&dir).await;
    db.write(|tx| add(tx, 1)).await.unwrap();
    db.read::<_, DbError>(|tx| {
        tx.pragma_update_and_check(None, "max_page_count", 4, |_| Ok(()))?;
        Ok(())
    })
    .await
    .unwrap();
    let full = db
        .write::<_, DbError>(|tx| {
            add(tx, 1)?;
            tx.execute("INSERT INTO t VALUES (0, ?1)", ["x".repeat(1 << 20)])?;
            Ok(())
        })
        .await;
    assert!(matches!(full, Err(DbError::Full)), "{full:?}");
    assert_eq!(sum(&db).await, 1);
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused() {
    let dir = TempDir::new();
    let path = dir.path().join("t.db");
    drop(Db::open(&path, &["SELECT 1", "SELECT 2"]).await.unwrap());
    let opened = Db::open(&path, SCHEMA).await;
    assert!(matches!(
        opened,
        Err(DbError::NewerSchema { found: 2, known: 1 })
    ));
}

#[tokio::test]
async fn money_is_on_the_disk_before_the_answer() {
    let dir = TempDir::new();
    let (journal, synchronous, keys) = db(&dir)
        .await
        .read::<_, DbError>(|tx| {
            let text = |name| tx.pragma_query_value(None, name, |row| row.get::<_, String>(0));
            let number = |name| tx.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            Ok((
                text("journal_mode")?,
                number("synchronous")?,
                number("foreign_keys")?,
            ))
        })
        .await
        .unwrap();
    assert_eq!((journal.as_str(), synchronous, keys), ("wal", 2, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let db = db(&dir).await;
    db.write(|tx| add(tx, 1)).await.unwrap();
    let mut files = 0;
    for file in fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
        files += 1;
    }
    assert_eq!(files, 3);
}
