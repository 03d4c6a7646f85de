//! A ring of keys on disk, by one process and by several.

mod processes;

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use msf_auth::{
    KeyRing, KeyRingError, RemoteKeys, RotationPolicy, TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
    issue::{KeyFileError, KeyState},
};
use msf_core::clock::WallClock;
use tokio::time;

use crate::support::{ISSUER, NOW_S};

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!(
            "msf-auth-ring-{}-{:016x}",
            std::process::id(),
            fastrand::u64(..)
        );
        Self(env::temp_dir().join(name))
    }

    fn manifest(&self) -> PathBuf {
        self.0.join("ring.json")
    }

    fn open(&self) -> Result<KeyRing, KeyRingError> {
        self.open_at(NOW_S)
    }

    fn open_at(&self, now_s: u64) -> Result<KeyRing, KeyRingError> {
        let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(now_s));
        KeyRing::builder(&self.0)
            .policy(policy())
            .clock(clock)
            .open()
    }

    /// Its files, without the lock.
    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "ring.lock").collect();
        names.sort();
        names
    }

    fn generation(&self) -> u64 {
        let text = fs::read(self.manifest()).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        document["generation"].as_u64().unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn policy() -> RotationPolicy {
    RotationPolicy::default()
        .period(Duration::from_secs(1_000))
        .staging(Duration::from_secs(500))
        .token_ttl_max(Duration::from_secs(900))
        .jwks_max_age(Duration::from_secs(100))
        .skew(Duration::from_secs(20))
        .reload(Duration::from_secs(10))
}

fn states(ring: &KeyRing) -> Vec<KeyState> {
    ring.keys().iter().map(|key| key.state).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn token(issuer: &TokenIssuer) -> String {
    let token = issuer.token("7").audience("shop");
    token.ttl(Duration::from_secs(900)).sign().unwrap()
}

/// By the keys that are published now.
async fn verifies(issuer: &TokenIssuer, token: &str, clock: WallClock) -> bool {
    let trusted = TrustedIssuer::new(ISSUER, issuer.jwks()).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).clock(clock).build();
    verifier.unwrap().verify(token).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_new_ring_signs_at_once_and_is_its_owners_only() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);
    let issuer = TokenIssuer::with_ring(ISSUER, ring.clone());
    assert_eq!(issuer.jwks().len(), 2);
    assert_eq!(issuer.key_id(), ring.keys()[0].key_id);
    assert_eq!(mode(&dir.0), 0o700);
    assert_eq!(dir.files().len(), 3);
    for file in dir.files() {
        assert_eq!(mode(&dir.0.join(&file)), 0o600, "{file}");
    }
    let response = issuer.jwks_response::<bytes::Bytes>();
    assert_eq!(response.headers()["cache-control"], "public, max-age=100");
    // Opened again it is the same.
    assert_eq!(dir.open().unwrap().keys(), ring.keys());
    assert_eq!(dir.files().len(), 3);
    assert!(!format!("{ring:?} {issuer:?}").contains("PRIVATE"));
}

#[tokio::test(start_paused = true)]
async fn the_key_of_an_issuer_of_one_becomes_the_first() {
    let dir = Dir::new();
    let before = TokenIssuer::open(&dir.0, ISSUER).unwrap();
    let ring = dir.open().unwrap();
    assert_eq!(ring.keys()[0].key_id, before.key_id());
    // And the other way round: who opens the directory for one key uses that of the ring.
    assert_eq!(
        TokenIssuer::open(&dir.0, ISSUER).unwrap().key_id(),
        before.key_id()
    );
    ring.revoke(&before.key_id()).await.unwrap();
    let after = TokenIssuer::open(&dir.0, ISSUER).unwrap();
    assert_eq!(after.key_id(), ring.keys()[0].key_id);
    assert!(!dir.0.join("signing-key.pem").exists());
}

#[tokio::test(start_paused = true)]
async fn a_token_outlives_the_turn_of_its_key_and_the_key_outlives_no_token() {
    let dir = Dir::new();
    let seen = MemorySink::new(100);
    let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
    let ring = KeyRing::builder(&dir.0)
        .policy(policy())
        .clock(clock)
        .audit(Audit::new(seen.clone()))
        .open()
        .unwrap();
    let issuer = TokenIssuer::with_ring(ISSUER, ring.clone());
    let (first, second) = (issuer.key_id(), ring.keys()[1].key_id.clone());
    assert!(
        issuer
            .token("7")
            .audience("a")
            .ttl(Duration::from_secs(901))
            .sign()
            .is_err()
    );

    time::advance(Duration::from_secs(999)).await;
    assert!(ring.rotate().await.unwrap().is_empty());
    let last = token(&issuer);
    // What verifiers cached before the key changed is enough for the tokens after it.
    let cached = issuer.jwks();

    time::advance(Duration::from_secs(1)).await;
    assert_eq!(ring.rotate().await.unwrap().len(), 3);
    assert_eq!(issuer.key_id(), second);
    assert!(cached.contains(&second));
    assert!(verifies(&issuer, &last, clock).await);

    time::advance(Duration::from_secs(898)).await;
    assert!(ring.rotate().await.unwrap().is_empty());
    assert!(verifies(&issuer, &last, clock).await);
    time::advance(Duration::from_secs(32)).await;
    assert_eq!(ring.rotate().await.unwrap().len(), 1);
    assert!(!issuer.jwks().contains(&first));
    assert!(!dir.0.join("signing-key.pem").exists());
    assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);

    for (kind, count) in [
        (Kind::KeyStaged, 2),
        (Kind::KeyActivated, 2),
        (Kind::KeyRetired, 1),
        (Kind::KeyRemoved, 1),
    ] {
        assert_eq!(seen.count(kind), count, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_gone_at_once_and_kept_tokens_are_renewed() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let issuer = TokenIssuer::with_ring(ISSUER, ring.clone());
    let tokens = issuer.service_tokens("order", "payment");
    let kept = msf_auth::BearerSource::bearer(&tokens).unwrap();
    let (stolen, successor) = (issuer.key_id(), ring.keys()[1].key_id.clone());
    let old = token(&issuer);

    ring.revoke(&stolen).await.unwrap();
    assert_eq!(issuer.key_id(), successor);
    assert!(!issuer.jwks().contains(&stolen));
    let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
    assert!(!verifies(&issuer, &old, clock).await);
    assert!(verifies(&issuer, &token(&issuer), clock).await);
    assert_ne!(msf_auth::BearerSource::bearer(&tokens).unwrap(), kept);
    assert!(!dir.0.join("signing-key.pem").exists());
    assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);
    // A staged one as well, and nothing twice.
    let staged = ring.keys()[1].key_id.clone();
    ring.revoke(&staged).await.unwrap();
    assert_eq!(issuer.key_id(), successor);
    assert!(matches!(
        ring.revoke(&staged).await,
        Err(KeyRingError::UnknownKey(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn another_process_is_followed() {
    let dir = Dir::new();
    let (here, there) = (dir.open().unwrap(), dir.open().unwrap());
    let _rotating = here.keep_rotating();
    time::advance(Duration::from_secs(500)).await;
    assert_eq!(there.rotate_early().await.unwrap().len(), 3);
    assert_ne!(here.keys(), there.keys());
    for _ in 0..100 {
        time::sleep(Duration::from_secs(10)).await;
        if here.keys() == there.keys() {
            return;
        }
    }
    panic!("{here:?} {there:?}");
}

#[tokio::test(start_paused = true)]
async fn early_is_not_before_everybody_knows_the_key() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    time::advance(Duration::from_secs(499)).await;
    assert!(ring.rotate_early().await.unwrap().is_empty());
    time::advance(Duration::from_secs(1)).await;
    assert_eq!(ring.rotate_early().await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_a_ring() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let first = ring.keys()[0].key_id.clone();
    for _ in 0..20 {
        let key = ring.keys()[0].key_id.clone();
        let mut revoke = tokio_test::task::spawn(ring.revoke(&key));
        assert!(revoke.poll().is_pending());
        drop(revoke);
    }
    // The threads end on their own.
    for _ in 0..1_000 {
        thread::sleep(Duration::from_millis(5));
        if ring.keys().iter().all(|key| key.key_id != first) {
            break;
        }
    }
    ring.rotate().await.unwrap();
    assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);
    assert_eq!(dir.open().unwrap().keys(), ring.keys());
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_is_named_and_the_keys_in_use_stay() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let issuer = TokenIssuer::with_ring(ISSUER, ring.clone());
    let key_id = issuer.key_id();
    let good = fs::read(dir.manifest()).unwrap();
    let huge = vec![b' '; 70 * 1024];
    let mut long = good.clone();
    long.resize(64 * 1024 + 1, b' ');
    let text = String::from_utf8(good.clone()).unwrap();
    let other_algorithm = text.replacen("\"EdDSA\"", "\"ES256\"", 1);
    assert_ne!(other_algorithm, text);
    for bad in [
        b"".as_slice(),
        b"{}",
        b"\xff",
        &good[..good.len() / 2],
        &huge,
        &long,
    ] {
        fs::write(dir.manifest(), bad).unwrap();
        let error = ring.rotate().await.unwrap_err();
        assert!(matches!(error, KeyRingError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("ring.json"));
        assert!(matches!(dir.open(), Err(KeyRingError::Corrupt { .. })));
        assert!(matches!(
            TokenIssuer::open(&dir.0, ISSUER),
            Err(KeyFileError::Ring(_))
        ));
        assert_eq!(fs::read(dir.manifest()).unwrap(), bad);
    }
    // Of a key that is another than it says.
    fs::write(dir.manifest(), other_algorithm).unwrap();
    assert!(matches!(
        dir.open(),
        Err(KeyRingError::Key(KeyFileError::Corrupt { .. }))
    ));
    fs::write(dir.manifest(), &good).unwrap();

    for (path, bits) in [
        (dir.manifest(), 0o620),
        (dir.manifest(), 0o602),
        (dir.0.clone(), 0o770),
    ] {
        let before = mode(&path);
        set_mode(&path, bits);
        let error = dir.open().unwrap_err();
        assert!(
            matches!(error, KeyRingError::Permissions { mode, .. } if mode == bits),
            "{error:?}"
        );
        set_mode(&path, before);
    }

    let file = dir.0.join("signing-key.pem");
    set_mode(&file, 0o640);
    assert!(matches!(
        dir.open(),
        Err(KeyRingError::Key(KeyFileError::Permissions { .. }))
    ));
    set_mode(&file, 0o600);
    // The key of somebody else under our name.
    let pem = fs::read(&file).unwrap();
    let other = Dir::new();
    other.open().unwrap();
    fs::copy(other.0.join("signing-key.pem"), &file).unwrap();
    assert!(matches!(
        dir.open(),
        Err(KeyRingError::Key(KeyFileError::Corrupt { .. }))
    ));
    fs::write(&file, &pem).unwrap();

    fs::remove_file(dir.manifest()).unwrap();
    let error = dir.open().unwrap_err();
    assert!(matches!(error, KeyRingError::Lost { .. }), "{error:?}");
    assert!(matches!(ring.rotate().await, Err(KeyRingError::Io { .. })));

    // All along.
    assert_eq!(issuer.key_id(), key_id);
    assert_eq!(token(&issuer).split('.').count(), 3);
    fs::write(dir.manifest(), &good).unwrap();
    set_mode(&dir.manifest(), 0o600);
    assert_eq!(dir.open().unwrap().keys(), ring.keys());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_from_a_backup_brings_no_revoked_key_back() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let backup = fs::read(dir.manifest()).unwrap();
    ring.revoke(&ring.keys()[0].key_id.clone()).await.unwrap();
    let now = fs::read(dir.manifest()).unwrap();
    fs::write(dir.manifest(), &backup).unwrap();
    assert!(matches!(
        ring.rotate().await,
        Err(KeyRingError::WentBack { .. })
    ));
    assert!(dir.open().is_err());
    fs::write(dir.manifest(), &now).unwrap();
    assert!(ring.rotate().await.is_ok());
}

#[tokio::test]
async fn a_lock_that_is_not_given_back_is_waited_for_and_named() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(dir.0.join("ring.lock"))
        .unwrap();
    lock.lock().unwrap();
    let error = ring.rotate_early().await.unwrap_err();
    assert!(matches!(error, KeyRingError::Busy { .. }), "{error:?}");
    drop(lock);
    assert!(ring.rotate_early().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_lost_its_manifest_gets_no_key_for_one_issuer() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    ring.revoke(&ring.keys()[0].key_id.clone()).await.unwrap();
    fs::remove_file(dir.manifest()).unwrap();
    let before = dir.files();
    let error = TokenIssuer::open(&dir.0, ISSUER).unwrap_err();
    let KeyFileError::Ring(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(*error, KeyRingError::Lost { .. }), "{error:?}");
    assert_eq!(dir.files(), before);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_of_the_same_process_follows_the_ring() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let issuer = TokenIssuer::with_ring(ISSUER, ring.clone());
    let keys = RemoteKeys::new(issuer.clone());
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let clock = WallClock::pinned(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S));
    let verifier = Verifier::builder().issuer(trusted).clock(clock).build();
    let verifier = verifier.unwrap();
    let old = token(&issuer);
    assert!(verifier.verify(&old).await.is_ok());
    // Twice, so that no key is left that was known at first.
    for _ in 0..2 {
        ring.revoke(&issuer.key_id()).await.unwrap();
        assert!(verifier.verify(&token(&issuer)).await.is_ok());
    }
    // The first look begins the fetch, and the second one has what it brought.
    for _ in 0..2 {
        time::sleep(Duration::from_secs(1)).await;
        let _refused_or_not_yet = verifier.verify(&old).await;
    }
    assert!(verifier.verify(&old).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_lost_can_be_taken_out_by_hand() {
    let dir = Dir::new();
    let ring = dir.open().unwrap();
    let (kept, lost) = (ring.keys()[0].clone(), ring.keys()[1].key_id.clone());
    drop(ring);
    fs::write(dir.0.join(format!("key-{lost}.pem")), "x").unwrap();
    let error = dir.open().unwrap_err();
    assert!(error.to_string().contains(&*lost), "{error}");

    let text = fs::read(dir.manifest()).unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let keys = document["keys"].as_array_mut().unwrap();
    keys.retain(|key| key["id"] != *lost);
    fs::write(dir.manifest(), document.to_string()).unwrap();
    let ring = dir.open().unwrap();
    assert_eq!(states(&ring), [KeyState::Active, KeyState::Staged]);
    assert_eq!(ring.keys()[0], kept);
    assert_eq!(dir.files().len(), 3, "{:?}", dir.files());
}
