//! Both stores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
#[cfg(feature = "sqlite")]
use msf_core::clock::WallClock;

use crate::{
    audit::{Audit, Kind, MemorySink},
    refresh::{
        Family, FamilyId, Grant, MemoryRefreshStore, Owner, Presented, RefreshError, RefreshPolicy,
        RefreshStore, RefreshTokens, conformance,
    },
    store::StoreError,
};
#[cfg(feature = "sqlite")]
use crate::{
    refresh::SqliteRefreshStore,
    store::{Sqlite, testing::TempDir},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance::run(|| async { MemoryRefreshStore::new() }).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_conforms() {
    let dirs = std::sync::Mutex::new(Vec::new());
    conformance::run(|| {
        let dir = TempDir::new();
        let path = dir.path().join("auth.db");
        dirs.lock().unwrap().push(dir);
        async move { SqliteRefreshStore::open(path).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn a_full_memory_refuses_and_forgets_nobody() {
    let store = MemoryRefreshStore::bounded(2);
    let tokens = RefreshTokens::new(store, RefreshPolicy::default()).unwrap();
    let first = tokens.issue(Grant::new("1")).await.unwrap();
    let _second = tokens.issue(Grant::new("2")).await.unwrap();
    let third = tokens.issue(Grant::new("3")).await;
    assert!(matches!(third, Err(RefreshError::Store(StoreError::Full))));
    assert!(
        tokens
            .rotate(&Presented::new(first.token.expose()))
            .await
            .is_ok()
    );
}

/// A store in which somebody else is first so many times.
#[derive(Clone)]
struct Contested(MemoryRefreshStore, Arc<AtomicU32>);

#[async_trait]
impl RefreshStore for Contested {
    async fn insert(&self, family: Family) -> Result<bool, StoreError> {
        self.0.insert(family).await
    }
    async fn fetch(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        self.0.fetch(id).await
    }
    async fn replace(&self, family: Family) -> Result<bool, StoreError> {
        let left = self.1.load(Ordering::Relaxed);
        if left > 0 {
            self.1.store(left - 1, Ordering::Relaxed);
            return Ok(false);
        }
        self.0.replace(family).await
    }
    async fn remove(&self, id: FamilyId, version: u64) -> Result<bool, StoreError> {
        self.0.remove(id, version).await
    }
    async fn find(&self, owner: Owner<'_>, limit: usize) -> Result<Vec<Family>, StoreError> {
        self.0.find(owner, limit).await
    }
    async fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Family>, StoreError> {
        self.0.due(now_ms, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_theft_ends_the_session_and_alarms_once_whoever_else_changes_the_row() {
    let store = Contested(MemoryRefreshStore::new(), Arc::default());
    let seen = MemorySink::new(100);
    let policy = RefreshPolicy::default();
    let tokens = RefreshTokens::new(store.clone(), policy).unwrap();
    let tokens = tokens.with_audit(Audit::new(seen.clone()));
    let rotate = async |token: &str| tokens.rotate(&Presented::new(token)).await;
    let first = tokens.issue(Grant::new("7")).await.unwrap().token;
    let second = rotate(first.expose()).await.unwrap().token;
    tokio::time::advance(Duration::from_secs(20)).await;
    store.1.store(3, Ordering::Relaxed);
    let reused = rotate(first.expose()).await.unwrap_err();
    assert!(matches!(reused, RefreshError::Reused { .. }));
    assert_eq!(store.1.load(Ordering::Relaxed), 0);
    assert_eq!(seen.count(Kind::RefreshReused), 1);
    assert_eq!(seen.count(Kind::RefreshRevoked), 1);
    let revoked = rotate(second.expose()).await.unwrap_err();
    assert!(matches!(revoked, RefreshError::Revoked));
}

/// A store of which each call hangs.
#[derive(Clone)]
struct Hanging;

#[async_trait]
impl RefreshStore for Hanging {
    async fn insert(&self, _: Family) -> Result<bool, StoreError> {
        std::future::pending().await
    }
    async fn fetch(&self, _: FamilyId) -> Result<Option<Family>, StoreError> {
        std::future::pending().await
    }
    async fn replace(&self, _: Family) -> Result<bool, StoreError> {
        std::future::pending().await
    }
    async fn remove(&self, _: FamilyId, _: u64) -> Result<bool, StoreError> {
        std::future::pending().await
    }
    async fn find(&self, _: Owner<'_>, _: usize) -> Result<Vec<Family>, StoreError> {
        std::future::pending().await
    }
    async fn due(&self, _: u64, _: usize) -> Result<Vec<Family>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for_longer_than_two_seconds() {
    let tokens = RefreshTokens::new(Hanging, RefreshPolicy::default()).unwrap();
    let good = RefreshTokens::new(MemoryRefreshStore::new(), RefreshPolicy::default()).unwrap();
    let token = good.issue(Grant::new("7")).await.unwrap().token;
    let start = msf_core::clock::now();
    let timed_out = |error: RefreshError| matches!(error, RefreshError::Store(StoreError::Timeout));
    assert!(timed_out(tokens.issue(Grant::new("7")).await.unwrap_err()));
    let presented = Presented::new(token.expose());
    assert!(timed_out(tokens.rotate(&presented).await.unwrap_err()));
    assert!(timed_out(tokens.revoke(&presented).await.unwrap_err()));
    assert!(timed_out(tokens.revoke_subject("7").await.unwrap_err()));
    assert!(timed_out(tokens.sweep().await.unwrap_err()));
    assert_eq!(start.elapsed(), 5 * Duration::from_secs(2));
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_full_disk_leaves_every_session_as_it_was() {
    let dir = TempDir::new();
    let file = Sqlite::open(dir.path().join("auth.db")).await.unwrap();
    let store = SqliteRefreshStore::new(&file).await.unwrap();
    let policy = RefreshPolicy {
        families_max: 1_000,
        ..RefreshPolicy::default()
    };
    let tokens = RefreshTokens::new(store, policy).unwrap();
    let mut token = tokens.issue(Grant::new("7")).await.unwrap().token;
    file.grow_at_most(4).await;
    let large = || Grant::new("7").claim("x", "y".repeat(3_000));
    let full = loop {
        match tokens.issue(large()).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, RefreshError::Store(StoreError::Full)),
        "{full:?}"
    );
    let sessions = tokens.families("7").await.unwrap().len();
    // A rotation takes about as much room as there was: it may fail, and then the old token is as good as before.
    for _ in 0..20 {
        match tokens.rotate(&Presented::new(token.expose())).await {
            Ok(rotated) => token = rotated.token,
            Err(error) => {
                assert!(
                    matches!(error, RefreshError::Store(StoreError::Full)),
                    "{error:?}"
                );
            }
        }
    }
    file.grow_at_most(1_000).await;
    assert!(tokens.rotate(&Presented::new(token.expose())).await.is_ok());
    assert_eq!(tokens.families("7").await.unwrap().len(), sessions);
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_on_one_file_make_one_successor() {
    let dir = TempDir::new();
    let open = || async {
        // A connection each, as two processes have.
        let store = SqliteRefreshStore::open(dir.path().join("auth.db"))
            .await
            .unwrap();
        RefreshTokens::new(store, RefreshPolicy::default()).unwrap()
    };
    let (one, other) = (open().await, open().await);
    let mut token = one.issue(Grant::new("7")).await.unwrap().token;
    for _ in 0..20 {
        let racers: Vec<_> = [&one, &other, &one, &other]
            .map(|tokens| {
                let (tokens, token) = (tokens.clone(), token.clone());
                msf_core::task::spawn("racer", async move {
                    let rotated = tokens.rotate(&Presented::new(token.expose())).await;
                    rotated.unwrap().token.into_exposed()
                })
            })
            .into();
        let mut successors = std::collections::HashSet::new();
        for racer in racers {
            successors.insert(racer.join().await.unwrap());
        }
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().unwrap().into();
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_row_that_was_tampered_with_is_an_error_and_no_session() {
    let dir = TempDir::new();
    let file = Sqlite::open(dir.path().join("auth.db")).await.unwrap();
    let store = SqliteRefreshStore::new(&file).await.unwrap();
    let tokens = RefreshTokens::new(store, RefreshPolicy::default()).unwrap();
    let mine = tokens.issue(Grant::new("7")).await.unwrap().token;
    let other = tokens.issue(Grant::new("8")).await.unwrap().token;
    for sql in [
        // The row of another.
        "UPDATE msf_auth_refresh SET family = (SELECT family FROM msf_auth_refresh WHERE subject = '7') WHERE subject = '8'",
        "UPDATE msf_auth_refresh SET family = x'7b7d' WHERE subject = '8'",
    ] {
        file.write(move |tx| Ok(tx.execute_batch(sql)?))
            .await
            .unwrap();
        let outcome = tokens.rotate(&Presented::new(other.expose())).await;
        assert!(
            matches!(outcome, Err(RefreshError::Store(StoreError::Corrupt(_)))),
            "{outcome:?}"
        );
    }
    let again = tokens.issue(Grant::new("8")).await.unwrap().token;
    assert_eq!(tokens.revoke_subject("8").await.unwrap(), 1);
    let revoked = tokens.rotate(&Presented::new(again.expose())).await;
    assert!(matches!(revoked, Err(RefreshError::Revoked)), "{revoked:?}");
    assert!(tokens.rotate(&Presented::new(mine.expose())).await.is_ok());
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn damaged_rows_hide_no_session_however_many_they_are() {
    let dir = TempDir::new();
    let file = Sqlite::open(dir.path().join("auth.db")).await.unwrap();
    let store = SqliteRefreshStore::new(&file).await.unwrap();
    let tokens = RefreshTokens::new(store, RefreshPolicy::default()).unwrap();
    let token = tokens.issue(Grant::new("7")).await.unwrap().token;
    // More than any call reads at once, and before the good one in every order.
    let damage = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO msf_auth_refresh
        SELECT randomblob(16), version, subject, session, 0, 0, 0, x'7b7d' FROM msf_auth_refresh, n";
    file.write(move |tx| Ok(tx.execute_batch(damage)?))
        .await
        .unwrap();
    assert_eq!(tokens.families("7").await.unwrap().len(), 1);
    let token = tokens.rotate(&Presented::new(token.expose())).await;
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    let later = tokens.clone().with_clock(WallClock::pinned(later));
    assert_eq!(later.sweep().await.unwrap(), 1, "the successor is wiped");
    assert_eq!(tokens.revoke_subject("7").await.unwrap(), 1);
    let outcome = tokens
        .rotate(&Presented::new(token.unwrap().token.expose()))
        .await;
    assert!(matches!(outcome, Err(RefreshError::Revoked)), "{outcome:?}");
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_holds_costs_no_session() {
    let dir = TempDir::new();
    let path = dir.path().join("auth.db");
    let store = SqliteRefreshStore::open(&path).await.unwrap();
    let tokens = RefreshTokens::new(store, RefreshPolicy::default()).unwrap();
    let token = tokens.issue(Grant::new("7")).await.unwrap().token;
    let presented = Presented::new(token.expose());
    let held = rusqlite::Connection::open(&path).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = msf_core::clock::now();
    let refused = tokens.rotate(&presented).await;
    assert!(
        matches!(
            refused,
            Err(RefreshError::Store(StoreError::Busy | StoreError::Timeout))
        ),
        "{refused:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    held.execute_batch("COMMIT").unwrap();
    // The one that was given up may have been made after all; then it is this one.
    let next = tokens.rotate(&presented).await.unwrap().token;
    let again = tokens.rotate(&presented).await.unwrap().token;
    assert_eq!(next.expose(), again.expose());
}
