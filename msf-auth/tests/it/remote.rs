//! Keys that are fetched.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use msf_auth::{
    Algorithm, InvalidRemoteKeys, JwksDocument, JwksFetchError, JwksSource, KeySet, Reason,
    RemoteKeys, RemoteKeysBuilder, SigningKey, TokenIssuer, TrustedIssuer, Verifier,
    audit::{Audit, Kind, MemorySink},
};
use msf_core::{clock::WallClock, metrics::Metrics};
use tokio::{sync::Notify, time};

use crate::support::{ISSUER, clock};

/// An issuer elsewhere: counts fetches, and can be slow, away, or wrong.
#[derive(Clone, Default)]
struct Elsewhere(Arc<Inner>);

#[derive(Default)]
struct Inner {
    fetches: AtomicUsize,
    document: Mutex<Option<String>>,
    gate: Mutex<Option<Arc<Notify>>>,
}

impl Elsewhere {
    fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().map(|key| key.verifying_key());
        self.answer(Some(KeySet::new(keys).unwrap().to_json()));
    }

    fn answer(&self, document: Option<String>) {
        *self.0.document.lock().unwrap() = document;
    }

    fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.0.gate.lock().unwrap() = Some(gate.clone());
        gate
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl JwksSource for Elsewhere {
    async fn fetch(&self) -> Result<JwksDocument, JwksFetchError> {
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        let gate = self.0.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let document = self.0.document.lock().unwrap().clone();
        document
            .map(JwksDocument::from)
            .ok_or_else(|| JwksFetchError::new("away"))
    }
}

fn key() -> SigningKey {
    SigningKey::generate_ed25519().unwrap()
}

fn token(key: &SigningKey, clock: WallClock) -> String {
    let issuer = TokenIssuer::new(ISSUER, key.clone()).with_clock(clock);
    issuer
        .token("7")
        .audience("shop")
        .ttl(Duration::from_secs(86_400))
        .sign()
        .unwrap()
}

struct World {
    elsewhere: Elsewhere,
    keys: RemoteKeys,
    verifier: Verifier,
    clock: WallClock,
    metrics: Metrics,
}

impl World {
    fn new() -> Self {
        Self::with(|keys| keys)
    }

    fn with(
        set: impl FnOnce(RemoteKeysBuilder<Elsewhere>) -> RemoteKeysBuilder<Elsewhere>,
    ) -> Self {
        let (elsewhere, clock, metrics) = (Elsewhere::default(), clock(), Metrics::new());
        let keys = RemoteKeys::builder(elsewhere.clone())
            .name("user")
            .metrics(&metrics);
        let keys = set(keys).build().unwrap();
        let trusted = TrustedIssuer::new(ISSUER, keys.clone()).audience("shop");
        let verifier = Verifier::builder()
            .issuer(trusted)
            .clock(clock)
            .build()
            .unwrap();
        Self {
            elsewhere,
            keys,
            verifier,
            clock,
            metrics,
        }
    }

    async fn verify(&self, key: &SigningKey) -> Result<(), Reason> {
        let outcome = self.verifier.verify(&token(key, self.clock)).await;
        outcome.map(|_| ()).map_err(|error| error.reason())
    }

    fn counted(&self, result: &str) -> bool {
        let line = format!(r#"msf_auth_jwks_refreshes_total{{result="{result}",source="user"}} "#);
        let text = self.metrics.render();
        let count = text.lines().find_map(|own| own.strip_prefix(&line));
        count.unwrap().parse::<f64>().unwrap() > 0.0
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_token_fetches_and_the_next_do_not() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    for _ in 0..3 {
        assert_eq!(world.verify(&key).await, Ok(()));
    }
    assert_eq!(world.elsewhere.fetches(), 1);
    assert!(world.counted("replaced"));
}

#[tokio::test(start_paused = true)]
async fn tokens_that_come_together_share_one_fetch() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let gate = world.elsewhere.hold();
    let token = token(&key, world.clock);
    let mut waiting: Vec<_> = (0..50)
        .map(|_| tokio_test::task::spawn(world.verifier.verify(&token)))
        .collect();
    assert!(waiting.iter_mut().all(|verify| verify.poll().is_pending()));
    tokio::task::yield_now().await;
    gate.notify_one();
    for verify in waiting {
        assert!(verify.into_inner().await.is_ok());
    }
    assert_eq!(world.elsewhere.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_verification_leaves_the_fetch_to_others() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let gate = world.elsewhere.hold();
    let token = token(&key, world.clock);
    let mut first = tokio_test::task::spawn(world.verifier.verify(&token));
    let mut second = tokio_test::task::spawn(world.verifier.verify(&token));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    tokio::task::yield_now().await;
    drop(first);
    gate.notify_one();
    assert!(second.into_inner().await.is_ok());
    assert_eq!(world.elsewhere.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_all_have_left_serves_the_next() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let gate = world.elsewhere.hold();
    let mut only = tokio_test::task::spawn(world.verifier.verify(&token(&key, world.clock)));
    assert!(only.poll().is_pending());
    tokio::task::yield_now().await;
    drop(only);
    gate.notify_one();
    assert_eq!(world.verify(&key).await, Ok(()));
    assert_eq!(world.elsewhere.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_at_once() {
    let (world, old, new) = (World::new(), key(), key());
    world.elsewhere.publish(&[&old]);
    assert_eq!(world.verify(&old).await, Ok(()));
    world.elsewhere.publish(&[&old, &new]);
    assert_eq!(world.verify(&new).await, Ok(()));
    assert_eq!(world.verify(&old).await, Ok(()));
    assert_eq!(world.elsewhere.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_costs_little_and_hides_no_valid_token() {
    let (world, good) = (World::new(), key());
    world.elsewhere.publish(&[&good]);
    assert_eq!(world.verify(&good).await, Ok(()));
    for _ in 0..100 {
        assert_eq!(world.verify(&key()).await, Err(Reason::UnknownKey));
    }
    assert_eq!(world.elsewhere.fetches(), 3);
    assert_eq!(world.verify(&good).await, Ok(()));
    time::advance(Duration::from_secs(10)).await;
    assert_eq!(world.verify(&key()).await, Err(Reason::UnknownKey));
    assert_eq!(world.elsewhere.fetches(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_changes_nothing() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    let empty = r#"{"keys":[]}"#.to_owned();
    for answer in [None, Some(empty), Some("<html>".to_owned())] {
        world.elsewhere.answer(answer);
        time::advance(Duration::from_secs(301)).await;
        assert_eq!(world.verify(&key).await, Ok(()));
        world.keys.refresh().await;
        assert_eq!(world.verify(&key).await, Ok(()));
    }
    assert!(world.counted("failed") && world.counted("refused"));
}

#[tokio::test(start_paused = true)]
async fn keys_of_yesterday_are_not_used() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    world.elsewhere.answer(None);
    time::advance(Duration::from_secs(24 * 3_600)).await;
    assert!(!world.keys.is_usable());
    assert_eq!(world.verify(&key).await, Err(Reason::KeysUnavailable));
    world.elsewhere.publish(&[&key]);
    time::advance(Duration::from_secs(60)).await;
    assert_eq!(world.verify(&key).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_answer_is_that_nothing_is_known() {
    let (world, key) = (World::new(), key());
    assert_eq!(world.verify(&key).await, Err(Reason::KeysUnavailable));
    // The next try waits for the back-off, whatever comes.
    for _ in 0..50 {
        assert_eq!(world.verify(&key).await, Err(Reason::KeysUnavailable));
    }
    assert!(
        world.elsewhere.fetches() <= 2,
        "{}",
        world.elsewhere.fetches()
    );
    world.elsewhere.publish(&[&key]);
    time::advance(Duration::from_secs(60)).await;
    assert_eq!(world.verify(&key).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_issuer_holds_a_token_for_half_a_second() {
    let (world, key) = (World::new(), key());
    let _never = world.elsewhere.hold();
    let start = time::Instant::now();
    assert_eq!(world.verify(&key).await, Err(Reason::KeysUnavailable));
    assert_eq!(start.elapsed().as_millis(), 500);
    // The fetch itself ends after two seconds, and then another may begin.
    time::sleep(Duration::from_secs(4)).await;
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_taken_out_is_refused_after_the_next_fetch() {
    let (world, old, new) = (World::new(), key(), key());
    world.elsewhere.publish(&[&old, &new]);
    assert_eq!(world.verify(&old).await, Ok(()));
    world.elsewhere.publish(&[&new]);
    assert!(world.keys.refresh().await);
    assert_eq!(world.verify(&old).await, Err(Reason::UnknownKey));
    assert_eq!(world.verify(&new).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_due_is_fetched_behind_the_token() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    time::advance(Duration::from_secs(301)).await;
    let _gate = world.elsewhere.hold();
    let mut verify = tokio_test::task::spawn(world.verifier.verify(&token(&key, world.clock)));
    assert!(verify.poll().is_ready());
    tokio::task::yield_now().await;
    assert_eq!(world.elsewhere.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn kept_fresh_means_fetched_without_a_token() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let task = world.keys.keep_fresh();
    time::sleep(Duration::from_secs(3_000)).await;
    let fetches = world.elsewhere.fetches();
    assert!((10..=13).contains(&fetches), "{fetches}");
    drop(task);
    time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!(world.elsewhere.fetches(), fetches);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_a_fetch_that_failed() {
    let keys = RemoteKeys::new(|| async {
        if true {
            panic!("on purpose");
        }
        Err::<Bytes, _>(JwksFetchError::new("unreachable"))
    });
    assert!(!keys.refresh().await);
    assert!(!keys.refresh().await);
}

#[test]
fn outside_a_runtime_keys_are_unavailable() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (key, clock) = (key(), WallClock::system());
    let keys = RemoteKeys::new(|| async { Err::<Bytes, _>(JwksFetchError::new("away")) });
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let verifier = Verifier::builder().issuer(trusted).build().unwrap();
    let verify = verifier.verify(&token(&key, clock));
    let error = runtime.block_on(verify).unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
}

#[tokio::test(start_paused = true)]
async fn ready_means_that_there_are_keys() {
    let (world, key) = (World::new(), key());
    let start = time::Instant::now();
    let within = Duration::from_secs(10);
    let error = world.keys.await_ready(within).await.unwrap_err();
    assert_eq!(error.to_string(), "there are no keys from `user` yet");
    assert_eq!(start.elapsed(), within);
    // The back-off, not who waits, says how often the issuer is asked.
    assert!(
        (2..=40).contains(&world.elsewhere.fetches()),
        "{}",
        world.elsewhere.fetches()
    );
    world.elsewhere.publish(&[&key]);
    assert_eq!(
        world.keys.await_ready(Duration::from_secs(120)).await,
        Ok(())
    );
    let fetches = world.elsewhere.fetches();
    assert_eq!(world.keys.await_ready(Duration::ZERO).await, Ok(()));
    assert_eq!(world.elsewhere.fetches(), fetches);
}

#[tokio::test(start_paused = true)]
async fn many_that_wait_for_readiness_share_one_fetch() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let gate = world.elsewhere.hold();
    let wait = || tokio_test::task::spawn(world.keys.await_ready(Duration::from_secs(1)));
    let mut waiting: Vec<_> = (0..50).map(|_| wait()).collect();
    assert!(waiting.iter_mut().all(|wait| wait.poll().is_pending()));
    tokio::task::yield_now().await;
    waiting.truncate(20);
    gate.notify_one();
    for wait in waiting {
        assert_eq!(wait.await, Ok(()));
    }
    assert_eq!(world.elsewhere.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_the_keys_is_shown() {
    let (world, key) = (World::new(), key());
    let age_s = |world: &World| {
        let text = world.metrics.render();
        let line = r#"msf_auth_jwks_age_seconds{source="user"} "#;
        let at = text.find(line).unwrap() + line.len();
        text[at..].lines().next().unwrap().parse::<f64>().unwrap()
    };
    time::advance(Duration::from_secs(7)).await;
    assert_eq!(age_s(&world), 7.0);
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    assert_eq!(age_s(&world), 0.0);
    world.elsewhere.answer(None);
    time::advance(Duration::from_secs(400)).await;
    assert!(world.keys.refresh().await);
    assert_eq!(age_s(&world), 400.0);
    let used = r#"msf_auth_jwks_keys{source="user",state="used"} 1"#;
    assert!(world.metrics.render().contains(used));
}

#[tokio::test(start_paused = true)]
async fn a_source_says_when_it_is_to_be_asked_again() {
    let (fetches, key) = (Arc::new(AtomicUsize::new(0)), key());
    let set = KeySet::new([key.verifying_key()]).unwrap().to_json();
    let keys = RemoteKeys::new({
        let fetches = fetches.clone();
        move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            let document = JwksDocument::from(set.clone()).fresh_for(Duration::from_secs(20));
            async move { Ok::<_, JwksFetchError>(document) }
        }
    });
    let _keeper = keys.keep_fresh();
    time::sleep(Duration::from_secs(200)).await;
    let fetches = fetches.load(Ordering::SeqCst);
    assert!((10..=13).contains(&fetches), "{fetches}");
}

#[tokio::test(start_paused = true)]
async fn keys_end_when_their_issuer_is_away_and_not_because_nobody_asked() {
    let week = Duration::from_secs(7 * 86_400);
    let (world, key) = (World::with(|keys| keys.refresh_every(week)), key());
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    let _keeper = world.keys.keep_fresh();
    for _ in 0..10 {
        time::sleep(Duration::from_secs(13 * 3_600)).await;
        assert!(world.keys.is_usable());
        assert_eq!(world.verify(&key).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_used_for_a_day_are_fetched_for_the_first_token() {
    let week = Duration::from_secs(7 * 86_400);
    let (world, key) = (World::with(|keys| keys.refresh_every(week)), key());
    world.elsewhere.publish(&[&key]);
    assert_eq!(world.verify(&key).await, Ok(()));
    time::advance(Duration::from_secs(25 * 3_600)).await;
    assert_eq!(world.verify(&key).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn who_keeps_keys_fresh_does_not_fetch_what_was_just_fetched() {
    let (world, key) = (World::new(), key());
    world.elsewhere.publish(&[&key]);
    let _keeper = world.keys.keep_fresh();
    time::sleep(Duration::from_secs(200)).await;
    assert!(world.keys.refresh().await);
    assert_eq!(world.elsewhere.fetches(), 2);
    // Five minutes after the second one, less a tenth.
    time::sleep(Duration::from_secs(260)).await;
    assert_eq!(world.elsewhere.fetches(), 2);
    time::sleep(Duration::from_secs(50)).await;
    assert_eq!(world.elsewhere.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_set_is_told_once() {
    let events = MemorySink::new(100);
    let world = World::with(|keys| keys.audit(Audit::new(events.clone())));
    let told = || {
        let events = events.events();
        let alerts = events.iter();
        alerts
            .filter(|event| event.kind() == Kind::PrivateKeyPublished)
            .count()
    };
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let set = |ids: &[&str]| {
        let keys: Vec<_> = ids
            .iter()
            .map(|id| serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": X, "d": "A" }))
            .collect();
        Some(serde_json::json!({ "keys": keys }).to_string())
    };
    world.elsewhere.answer(set(&["a"]));
    for _ in 0..5 {
        world.keys.refresh().await;
    }
    assert_eq!(told(), 1);
    world.elsewhere.answer(set(&["a", "b"]));
    world.keys.refresh().await;
    assert_eq!(told(), 3);
}

#[test]
fn limits_that_let_nothing_through_are_errors() {
    let builder = || RemoteKeys::builder(Elsewhere::default());
    assert!(matches!(
        builder().rsa_algorithm(Algorithm::Es256).build(),
        Err(InvalidRemoteKeys::RsaAlgorithm(Algorithm::Es256))
    ));
    assert!(matches!(
        builder().fetch_timeout(Duration::ZERO).build(),
        Err(InvalidRemoteKeys::Zero("fetch_timeout"))
    ));
    assert!(matches!(
        builder().stale_max(Duration::ZERO).build(),
        Err(InvalidRemoteKeys::Zero("stale_max"))
    ));
    assert!(builder().rsa_algorithm(Algorithm::Ps512).build().is_ok());
}
