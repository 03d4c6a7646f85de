//! Keys that are right, wrong, over, revoked and looked up in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use msf_core::{clock::WallClock, metrics::Metrics, problem::Problem};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    PrincipalKind,
    audit::{Audit, Kind, MemorySink},
    store::StoreError,
};

/// Counts look-ups, lets them wait, and fails when it is told to.
#[derive(Clone)]
struct Watched {
    inner: MemoryApiKeyStore,
    fetches: Arc<AtomicUsize>,
    uses: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    /// Whether a revocation is made, and its answer does not come.
    answers_late: Arc<AtomicBool>,
}

impl Watched {
    fn new() -> Self {
        Self {
            inner: MemoryApiKeyStore::new(),
            fetches: Arc::default(),
            uses: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            answers_late: Arc::default(),
        }
    }
}

#[async_trait]
impl ApiKeyStore for Watched {
    async fn insert(&self, record: ApiKeyRecord) -> Result<bool, StoreError> {
        self.inner.insert(record).await
    }

    async fn fetch(&self, id: ApiKeyId) -> Result<Option<ApiKeyRecord>, StoreError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let found = self.inner.fetch(id).await;
        // After the look, so that what was found may be old when it is returned.
        let _open = self.gate.acquire().await.map_err(|_| StoreError::Closed)?;
        found
    }

    async fn revoke(&self, id: ApiKeyId, now_s: u64) -> Result<bool, StoreError> {
        let outcome = self.inner.revoke(id, now_s).await;
        if self.answers_late.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        outcome
    }

    async fn used(&self, id: ApiKeyId, now_s: u64) -> Result<(), StoreError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.inner.used(id, now_s).await?;
        Err(StoreError::Busy)
    }

    async fn list(&self, subject: &str, limit: usize) -> Result<Vec<ApiKeyRecord>, StoreError> {
        self.inner.list(subject, limit).await
    }

    async fn remove_before(&self, time_s: u64) -> Result<usize, StoreError> {
        self.inner.remove_before(time_s).await
    }
}

fn keys(store: impl ApiKeyStore) -> (ApiKeys, MemorySink) {
    let seen = MemorySink::new(100);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let keys = ApiKeys::builder("https://user.shop", store)
        .clock(WallClock::pinned(start))
        .audit(Audit::new(seen.clone()))
        .build()
        .unwrap();
    (keys, seen)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, ApiKeyError>) -> ApiKeyRefusal {
    match outcome {
        Err(ApiKeyError::Refused(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_speaks_for_its_owner_until_its_end() {
    let (keys, _) = keys(MemoryApiKeyStore::new());
    let new = NewApiKey::user("7")
        .name("laptop")
        .scopes(["a", "b:c"])
        .tenant("north")
        .expires_after(Duration::from_secs(60));
    let made = keys.create(new).await.unwrap();
    let caller = keys.verify(made.key.expose()).await.unwrap();
    assert_eq!(
        (caller.subject(), caller.issuer()),
        ("7", "https://user.shop")
    );
    assert_eq!(caller.kind(), PrincipalKind::User);
    assert!(caller.scopes().eq(["a", "b:c"]));
    assert_eq!(caller.tenant(), Some("north"));
    assert_eq!(caller.key_id(), Some(made.record.id.as_str()));
    // Also while it is kept.
    tokio::time::advance(Duration::from_secs(58)).await;
    assert!(keys.verify(made.key.expose()).await.is_ok());
    tokio::time::advance(Duration::from_secs(2)).await;
    let outcome = keys.verify(made.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Expired);
    assert_eq!(keys.remove_after(Duration::from_secs(1)).await.unwrap(), 0);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(keys.remove_after(Duration::from_secs(1)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_a_key_costs_no_look_up() {
    let store = Watched::new();
    let (keys, seen) = keys(store.clone());
    let test = ApiKeys::builder("i", MemoryApiKeyStore::new()).environment("test");
    let other = test
        .build()
        .unwrap()
        .create(NewApiKey::user("7"))
        .await
        .unwrap();
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let mut changed = made.key.expose().clone();
    changed.pop();
    for text in ["", "msf_", "a.b.c", &changed, &"msf_".repeat(10_000)] {
        assert_eq!(refused(keys.verify(text).await), ApiKeyRefusal::Form);
    }
    let outcome = keys.verify(other.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Environment);
    assert_eq!(store.fetches.load(Ordering::Relaxed), 0);
    assert_eq!(seen.count(Kind::ApiKeyRefused), 0);
}

#[tokio::test(start_paused = true)]
async fn a_right_id_is_not_a_right_key() {
    let store = MemoryApiKeyStore::new();
    let (keys, seen) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let stranger = keys.create(NewApiKey::user("8")).await.unwrap();
    // A store in which the id leads to another's hash.
    let mut record = made.record.clone();
    record.hash = stranger.record.hash;
    let swapped = MemoryApiKeyStore::new();
    swapped.insert(record).await.unwrap();
    let (others, _) = self::keys(swapped);
    let outcome = others.verify(made.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Secret);
    let outcome = others.verify(stranger.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Unknown);
    assert_eq!(seen.count(Kind::ApiKeyCreated), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_looked_up_each_five_seconds_and_its_use_noted_each_ten_minutes() {
    let store = Watched::new();
    let (keys, _) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    for _ in 0..100 {
        // A store that cannot note it does not matter.
        keys.verify(made.key.expose()).await.unwrap();
    }
    assert_eq!(store.fetches.load(Ordering::Relaxed), 1);
    assert_eq!(store.uses.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    keys.verify(made.key.expose()).await.unwrap();
    assert_eq!(store.fetches.load(Ordering::Relaxed), 2);
    assert_eq!(store.uses.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_secs(600)).await;
    keys.verify(made.key.expose()).await.unwrap();
    assert_eq!(store.uses.load(Ordering::Relaxed), 2);
    let listed = keys.list("7", 10).await.unwrap();
    assert_eq!(listed[0].used_s, Some(1_000_605));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_revoked_while_it_is_looked_up_is_not_kept() {
    let mut store = Watched::new();
    store.gate = Arc::new(Semaphore::new(0));
    let (keys, seen) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let mut verify = tokio_test::task::spawn(keys.verify(made.key.expose()));
    assert!(verify.poll().is_pending());
    assert!(keys.revoke(made.record.id).await.unwrap());
    store.gate.add_permits(10);
    // The look was before the revocation.
    assert!(verify.await.is_ok());
    let outcome = keys.verify(made.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Revoked);
    assert_eq!(seen.count(Kind::ApiKeyRevoked), 1);
    assert_eq!(seen.count(Kind::ApiKeyRefused), 1);
    assert!(
        !keys
            .revoke(ApiKeyId::parse(&"a".repeat(16)).unwrap())
            .await
            .unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn look_ups_are_bounded_and_a_dropped_one_gives_its_place_back() {
    let mut store = Watched::new();
    store.gate = Arc::new(Semaphore::new(0));
    let (keys, _) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let spawn = || {
        let mut verify = tokio_test::task::spawn(keys.verify(made.key.expose()));
        assert!(verify.poll().is_pending());
        verify
    };
    let mut waiting: Vec<_> = (0..64).map(|_| spawn()).collect();
    let outcome = keys.verify(made.key.expose()).await;
    assert!(matches!(outcome, Err(ApiKeyError::Store(StoreError::Busy))));
    waiting.pop();
    waiting.push(spawn());
    store.gate.add_permits(100);
    for verify in waiting {
        assert!(verify.await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn who_makes_up_ids_does_not_keep_out_a_key_that_is_in_use() {
    let mut store = Watched::new();
    store.gate = Arc::new(Semaphore::new(1));
    let (keys, _) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    assert!(keys.verify(made.key.expose()).await.is_ok());
    tokio::time::advance(Duration::from_secs(6)).await;
    let closed = store.gate.acquire().await.unwrap();
    let made_up: Vec<_> = (0..64).map(|_| text::generate("live").unwrap().0).collect();
    let flood: Vec<_> = made_up
        .iter()
        .map(|key| {
            let mut verify = tokio_test::task::spawn(keys.verify(key.expose()));
            assert!(verify.poll().is_pending());
            verify
        })
        .collect();
    // Nor do its own calls, all of which find at once that it has to be looked up again.
    let mut calls: Vec<_> = (0..200)
        .map(|_| {
            let mut verify = tokio_test::task::spawn(keys.verify(made.key.expose()));
            assert!(verify.poll().is_pending());
            verify
        })
        .collect();
    let before = store.fetches.load(Ordering::Relaxed);
    drop((flood, closed));
    for verify in calls.drain(..) {
        assert!(verify.await.is_ok());
    }
    assert!(before <= 1 + 64 + 16);
    assert_eq!(store.fetches.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_is_dropped_forgets_what_was_kept() {
    let store = Watched::new();
    let (keys, _) = keys(store.clone());
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    assert!(keys.verify(made.key.expose()).await.is_ok());
    let mut revoke = tokio_test::task::spawn(keys.revoke(made.record.id));
    store.answers_late.store(true, Ordering::Relaxed);
    assert!(revoke.poll().is_pending());
    drop(revoke);
    let outcome = keys.verify(made.key.expose()).await;
    assert_eq!(refused(outcome), ApiKeyRefusal::Revoked);
}

#[tokio::test(start_paused = true)]
async fn what_a_key_cannot_say_is_refused() {
    let (keys, _) = keys(MemoryApiKeyStore::with_capacity(1));
    for new in [
        NewApiKey::user(""),
        NewApiKey::user("x".repeat(257)),
        NewApiKey::user("7").name("a\nb"),
        NewApiKey::user("7").name("x".repeat(129)),
        NewApiKey::user("7").scopes([""; 2]),
        NewApiKey::user("7").scopes(["a\"b"]),
        NewApiKey::user("7").scopes(["x".repeat(2_049)]),
        NewApiKey::user("7").tenant(""),
    ] {
        let outcome = keys.create(new).await;
        assert!(
            matches!(outcome, Err(ApiKeyError::Invalid { .. })),
            "{outcome:?}"
        );
    }
    let forever = NewApiKey::user("7").expires_after(Duration::MAX);
    let made = keys.create(forever).await.unwrap();
    assert!(keys.verify(made.key.expose()).await.is_ok());
    let full = keys.create(NewApiKey::user("7")).await;
    assert!(matches!(full, Err(ApiKeyError::Store(StoreError::Full))));
    let build = |issuer: &str, environment: &str, keep: u64| {
        ApiKeys::builder(issuer, MemoryApiKeyStore::new())
            .environment(environment)
            .keep(Duration::from_secs(keep))
            .build()
            .unwrap_err()
    };
    assert_eq!(build("", "live", 0), InvalidApiKeys::Issuer);
    assert_eq!(build("i", "Live_1", 0), InvalidApiKeys::Environment);
    assert_eq!(build("i", "live", 301), InvalidApiKeys::Keep);
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_a_key_and_outside_all_refusals_are_one() {
    let metrics = Metrics::new();
    let keys = ApiKeys::builder("i", MemoryApiKeyStore::new()).metrics(&metrics);
    let keys = keys.build().unwrap();
    let made = keys.create(NewApiKey::user("7")).await.unwrap();
    let secret = &made.key.expose()[made.key.expose().len() - 39..];
    keys.revoke(made.record.id).await.unwrap();
    let error = keys.verify(made.key.expose()).await.unwrap_err();
    let said = format!("{made:?} {error:?} {error} {keys:?} {:?}", made.record);
    assert!(!said.contains(&secret[..8]), "{said}");
    let problems = [error, keys.verify("msf_x").await.unwrap_err()].map(Problem::from);
    assert_eq!(problems[0].code(), problems[1].code());
    assert_eq!(problems[0].detail(), problems[1].detail());
    let text = metrics.render();
    for line in [
        r#"msf_auth_api_keys_total{reason="revoked",result="refused"} 1"#,
        r#"msf_auth_api_keys_total{reason="form",result="refused"} 1"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// What every store does.
async fn conforms(store: impl ApiKeyStore) {
    let record = |id: &str, subject: &str, created_s| ApiKeyRecord {
        id: ApiKeyId::parse(id).unwrap(),
        hash: [7; 32],
        subject: subject.into(),
        is_service: true,
        name: "näme".into(),
        scope: "a b".into(),
        tenant: None,
        created_s,
        expires_s: Some(u64::MAX),
        revoked_s: None,
        used_s: None,
    };
    let first = record(&"a".repeat(16), "7", 1);
    let second = record(&"b".repeat(16), "7", 2);
    assert!(store.insert(first.clone()).await.unwrap());
    assert!(store.insert(second.clone()).await.unwrap());
    assert!(!store.insert(record(&"a".repeat(16), "8", 3)).await.unwrap());
    let mut found = store.fetch(first.id).await.unwrap().unwrap();
    // SQLite's integers end earlier.
    assert!(found.expires_s >= Some(i64::MAX as u64));
    found.expires_s = first.expires_s;
    assert_eq!(found, first);
    let missing = ApiKeyId::parse(&"c".repeat(16)).unwrap();
    assert_eq!(store.fetch(missing).await.unwrap(), None);

    let ids = |listed: Vec<ApiKeyRecord>| listed.iter().map(|record| record.id).collect::<Vec<_>>();
    assert_eq!(
        ids(store.list("7", 10).await.unwrap()),
        [second.id, first.id]
    );
    assert_eq!(ids(store.list("7", 1).await.unwrap()), [second.id]);
    assert_eq!(ids(store.list("8", 10).await.unwrap()), []);

    store.used(first.id, 9).await.unwrap();
    store.used(first.id, 8).await.unwrap();
    store.used(missing, 8).await.unwrap();
    assert!(store.revoke(first.id, 10).await.unwrap());
    assert!(store.revoke(first.id, 11).await.unwrap());
    assert!(!store.revoke(missing, 10).await.unwrap());
    let found = store.fetch(first.id).await.unwrap().unwrap();
    assert_eq!((found.used_s, found.revoked_s), (Some(9), Some(10)));

    assert_eq!(store.remove_before(10).await.unwrap(), 0);
    assert_eq!(store.remove_before(11).await.unwrap(), 1);
    assert_eq!(store.fetch(first.id).await.unwrap(), None);
    assert!(store.fetch(second.id).await.unwrap().is_some());
}

#[tokio::test]
async fn the_memory_store_conforms() {
    conforms(MemoryApiKeyStore::new()).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_sqlite_store_conforms_and_survives() {
    let name = format!("msf-auth-api-keys-test-{}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("keys.db");
    conforms(SqliteApiKeyStore::open(&path).await.unwrap()).await;
    let made = {
        let (keys, _) = keys(SqliteApiKeyStore::open(&path).await.unwrap());
        keys.create(NewApiKey::user("9")).await.unwrap()
    };
    let (keys, _) = keys(SqliteApiKeyStore::open(&path).await.unwrap());
    assert_eq!(keys.verify(made.key.expose()).await.unwrap().subject(), "9");
    drop(keys);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_damaged_row_does_not_hide_the_other_keys() {
    let dir = crate::store::testing::TempDir::new();
    let path = dir.path().join("keys.db");
    let (keys, _) = keys(SqliteApiKeyStore::open(&path).await.unwrap());
    let (damaged, good) = (NewApiKey::user("9").name("damaged"), NewApiKey::user("9"));
    let damaged = keys.create(damaged).await.unwrap();
    let good = keys.create(good).await.unwrap();
    let damage = "UPDATE msf_auth_api_keys SET hash = x'00' WHERE name = 'damaged'";
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(damage).unwrap();
    let listed = keys.list("9", 10).await.unwrap();
    assert_eq!(listed, [good.record]);
    let outcome = keys.verify(damaged.key.expose()).await;
    assert!(matches!(
        outcome,
        Err(ApiKeyError::Store(StoreError::Corrupt(_)))
    ));
}
