//! One test, or more, for each rule of the module's documentation, through a verifier.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use msf_core::{clock::WallClock, config::Secret, metrics::Metrics};
use serde_json::{Value, json};
use tokio::time::advance;

use super::*;
use crate::{
    Algorithm, HmacKey, JwksFetchError, Key, KeySet, Reason, RemoteKeys, Revocation, Revocations,
    SigningKey, TokenIssuer, TrustedIssuer, Verifier, VerifierBuilder,
    revocation::{RevocationFeed, RevocationFeedError, WhenBehind},
};

const ISSUER: &str = "https://user.shop";
const NOW_S: u64 = 1_800_000_000;

struct Setup {
    metrics: Metrics,
    clock: WallClock,
    issuer: TokenIssuer,
}

impl Setup {
    fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S);
        let clock = WallClock::pinned(now);
        let key = SigningKey::generate_ed25519().unwrap();
        Self {
            metrics: Metrics::new(),
            clock,
            issuer: TokenIssuer::new(ISSUER, key).with_clock(clock),
        }
    }

    fn builder(&self, trusted: TrustedIssuer) -> VerifierBuilder {
        Verifier::builder()
            .issuer(trusted)
            .clock(self.clock)
            .cache(TokenCache::default())
            .metrics(&self.metrics)
    }

    fn verifier(&self) -> Verifier {
        let trusted = TrustedIssuer::new(ISSUER, self.issuer.jwks()).audience("shop");
        self.builder(trusted).build().unwrap()
    }

    fn token(&self) -> String {
        let token = self.issuer.token("7").audience("shop");
        token.claim("sid", "s").sign().unwrap()
    }

    fn counted(&self, name: &str, label: &str) -> u64 {
        let text = self.metrics.render();
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with(&format!("{name}{label} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    }

    fn hits(&self) -> u64 {
        self.counted("msf_auth_token_cache_lookups_total", r#"{result="hit"}"#)
    }

    fn misses(&self) -> u64 {
        self.counted("msf_auth_token_cache_lookups_total", r#"{result="miss"}"#)
    }

    fn evicted(&self, reason: &str) -> u64 {
        let label = format!("{{reason=\"{reason}\"}}");
        self.counted("msf_auth_token_cache_evictions_total", &label)
    }

    fn bytes(&self) -> u64 {
        self.counted("msf_auth_token_cache_bytes", "")
    }
}

async fn reason(verifier: &Verifier, token: &str) -> Reason {
    verifier.verify(token).await.unwrap_err().reason()
}

#[tokio::test(start_paused = true)]
async fn a_verified_token_is_not_verified_again() {
    let setup = Setup::new();
    let verifier = setup.verifier();
    let token = setup.token();
    let first = verifier.verify(&token).await.unwrap();
    let second = verifier.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!((setup.hits(), setup.misses()), (1, 1));
    assert!(setup.bytes() > 200);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_unless_asked_for() {
    let setup = Setup::new();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let verifier = Verifier::builder()
        .issuer(trusted)
        .clock(setup.clock)
        .build()
        .unwrap();
    let token = setup.token();
    let first = verifier.verify(&token).await.unwrap();
    assert!(!Arc::ptr_eq(
        &first,
        &verifier.verify(&token).await.unwrap()
    ));
}

#[tokio::test(start_paused = true)]
async fn a_cache_without_room_keeps_nothing() {
    let setup = Setup::new();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let verifier = setup
        .builder(trusted)
        .cache(TokenCache::bytes(0))
        .build()
        .unwrap();
    let token = setup.token();
    for _ in 0..2 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    assert_eq!((setup.hits(), setup.bytes()), (0, 0));
}

/// Rule 1.
#[tokio::test(start_paused = true)]
async fn what_one_verifier_keeps_no_other_takes() {
    let setup = Setup::new();
    let trusted =
        |audience: &str| TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience(audience);
    let config = TokenCache::default();
    let shop = setup
        .builder(trusted("shop"))
        .cache(config)
        .build()
        .unwrap();
    let bank = setup
        .builder(trusted("bank"))
        .cache(config)
        .build()
        .unwrap();
    let token = setup.token();
    assert!(shop.verify(&token).await.is_ok());
    assert_eq!(reason(&bank, &token).await, Reason::Audience);
}

/// Rule 2.
#[tokio::test(start_paused = true)]
async fn a_token_that_differs_anywhere_is_another() {
    let setup = Setup::new();
    let verifier = setup.verifier();
    let token = setup.token();
    assert!(verifier.verify(&token).await.is_ok());
    for at in [5, token.len() / 2, token.len() - 10, token.len() - 1] {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(verifier.verify(&other).await.is_err(), "{at}");
    }
    for other in [
        &token[..token.len() - 1],
        &format!("{token}A"),
        &format!("{token}."),
    ] {
        assert!(verifier.verify(other).await.is_err());
    }
    assert_eq!(setup.hits(), 0);
}

/// Rule 3.
#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_kept() {
    let setup = Setup::new();
    let verifier = setup.verifier();
    let elsewhere = setup.issuer.token("7").audience("bank").sign().unwrap();
    for _ in 0..2 {
        assert_eq!(reason(&verifier, &elsewhere).await, Reason::Audience);
    }
    assert_eq!((setup.hits(), setup.misses(), setup.bytes()), (0, 2, 0));
}

/// Rule 4.
#[tokio::test(start_paused = true)]
async fn a_kept_token_ends_when_it_expires() {
    let setup = Setup::new();
    let verifier = setup.verifier();
    let token = setup
        .issuer
        .token("7")
        .audience("shop")
        .ttl(Duration::from_secs(20));
    let token = token.sign().unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    advance(Duration::from_secs(49)).await;
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(setup.hits(), 1);
    advance(Duration::from_secs(1)).await;
    assert_eq!(reason(&verifier, &token).await, Reason::Expired);
    assert_eq!((setup.evicted("expired"), setup.bytes()), (1, 0));
}

/// Rule 4.
#[tokio::test(start_paused = true)]
async fn a_token_is_kept_for_a_minute_at_most() {
    let setup = Setup::new();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let config = TokenCache::default().ttl(Duration::from_secs(3_600));
    let verifier = setup.builder(trusted).cache(config).build().unwrap();
    let token = setup.token();
    let first = verifier.verify(&token).await.unwrap();
    advance(Duration::from_secs(59)).await;
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token).await.unwrap()));
    advance(Duration::from_secs(1)).await;
    assert!(!Arc::ptr_eq(
        &first,
        &verifier.verify(&token).await.unwrap()
    ));
}

/// An issuer whose published keys a test can change.
struct Published(Arc<Mutex<Bytes>>);

impl Published {
    fn new(keys: &KeySet) -> Self {
        Self(Arc::new(Mutex::new(Bytes::from(keys.to_json()))))
    }

    fn set(&self, keys: &KeySet) {
        *self.0.lock().unwrap() = Bytes::from(keys.to_json());
    }

    fn keys(&self) -> RemoteKeys {
        let document = self.0.clone();
        RemoteKeys::new(move || {
            let document = document.lock().unwrap().clone();
            async move { Ok::<_, JwksFetchError>(document) }
        })
    }
}

/// Rule 5.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_ends_what_it_signed() {
    let setup = Setup::new();
    let published = Published::new(&setup.issuer.jwks());
    let keys = published.keys();
    let trusted = TrustedIssuer::new(ISSUER, keys.clone()).audience("shop");
    let verifier = setup.builder(trusted).build().unwrap();
    let token = setup.token();
    assert!(verifier.verify(&token).await.is_ok());

    assert!(keys.refresh().await);
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(
        setup.hits(),
        1,
        "the same key in another set is the same key"
    );

    let other = SigningKey::generate_ed25519().unwrap();
    published.set(&KeySet::new([other.verifying_key()]).unwrap());
    assert!(keys.refresh().await);
    assert_eq!(reason(&verifier, &token).await, Reason::UnknownKey);
    assert_eq!(setup.evicted("key"), 1);
}

/// Rule 5.
#[tokio::test(start_paused = true)]
async fn another_key_under_the_same_id_ends_what_the_first_signed() {
    let setup = Setup::new();
    let published = Published::new(&setup.issuer.jwks());
    let keys = published.keys();
    let trusted = TrustedIssuer::new(ISSUER, keys.clone()).audience("shop");
    let verifier = setup.builder(trusted).build().unwrap();
    let token = setup.token();
    assert!(verifier.verify(&token).await.is_ok());

    let other = SigningKey::generate_ed25519().unwrap().verifying_key();
    let other = other.with_id(&setup.issuer.key_id()).unwrap();
    published.set(&KeySet::new([other]).unwrap());
    assert!(keys.refresh().await);
    assert_eq!(reason(&verifier, &token).await, Reason::Signature);
}

/// Rule 6.
#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_refused_at_once() {
    for kind in 0..4 {
        let setup = Setup::new();
        let revocations = Revocations::builder().clock(setup.clock).build().unwrap();
        let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
        let builder = setup.builder(trusted).revocations(revocations.clone());
        let verifier = builder.build().unwrap();
        let token = setup.token();
        let caller = verifier.verify(&token).await.unwrap();

        let stranger = setup.issuer.token("8").audience("shop").sign().unwrap();
        let stranger = verifier.verify(&stranger).await.unwrap();
        revocations.apply(&Revocation::token(&stranger, setup.clock.now()));
        assert!(verifier.verify(&token).await.is_ok());
        assert_eq!(setup.hits(), 1, "what is another's does not end it");

        revocations.apply(&match kind {
            0 => Revocation::token(&caller, setup.clock.now()),
            1 => Revocation::session(&caller, setup.clock.now()),
            2 => Revocation::subject(&caller, setup.clock.now()),
            _ => Revocation::All {
                issued_until_s: NOW_S,
            },
        });
        assert_eq!(reason(&verifier, &token).await, Reason::Revoked, "{kind}");
        assert_eq!(reason(&verifier, &token).await, Reason::Revoked, "{kind}");
        assert_eq!((setup.evicted("revoked"), setup.hits()), (1, 1));
    }
}

/// Says nothing after the first time.
struct Silent(bool);

#[async_trait::async_trait]
impl RevocationFeed for Silent {
    async fn next(&mut self) -> Result<Vec<Revocation>, RevocationFeedError> {
        if self.0 {
            std::future::pending::<()>().await;
        }
        self.0 = true;
        Ok(Vec::new())
    }
}

/// Rule 6.
#[tokio::test(start_paused = true)]
async fn while_the_feed_is_silent_tokens_are_kept_for_five_seconds() {
    let setup = Setup::new();
    let revocations = Revocations::builder().clock(setup.clock).build().unwrap();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let builder = setup.builder(trusted).revocations(revocations.clone());
    let verifier = builder.build().unwrap();
    let _following = revocations.follow(Silent(false));
    tokio::task::yield_now().await;
    assert!(!revocations.is_behind());
    let token = setup.token();
    let first = verifier.verify(&token).await.unwrap();
    advance(Duration::from_secs(14)).await;
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token).await.unwrap()));
    advance(Duration::from_secs(2)).await;
    assert!(revocations.is_behind());
    let second = verifier.verify(&token).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    advance(Duration::from_secs(4)).await;
    assert!(Arc::ptr_eq(
        &second,
        &verifier.verify(&token).await.unwrap()
    ));
    advance(Duration::from_secs(1)).await;
    assert!(!Arc::ptr_eq(
        &second,
        &verifier.verify(&token).await.unwrap()
    ));
}

/// Rule 6.
#[tokio::test(start_paused = true)]
async fn while_the_feed_is_silent_everything_can_be_refused() {
    let setup = Setup::new();
    let revocations = Revocations::builder()
        .when_behind(WhenBehind::Refuse)
        .clock(setup.clock);
    let revocations = revocations.build().unwrap();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let builder = setup.builder(trusted).revocations(revocations.clone());
    let verifier = builder.build().unwrap();
    let following = revocations.follow(Silent(false));
    let token = setup.token();
    assert_eq!(
        reason(&verifier, &token).await,
        Reason::RevocationsUnavailable
    );
    tokio::task::yield_now().await;
    assert!(verifier.verify(&token).await.is_ok());
    drop(following);
    advance(Duration::from_secs(16)).await;
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RevocationsUnavailable);
    assert!(error.is_unavailable());
}

/// Rule 7.
#[tokio::test(start_paused = true)]
async fn a_flood_of_tokens_that_are_used_once_leaves_those_that_are_used_often() {
    let setup = Setup::new();
    let trusted = TrustedIssuer::new(ISSUER, setup.issuer.jwks()).audience("shop");
    let bytes_max = 256 * 1_024;
    let builder = setup.builder(trusted).cache(TokenCache::bytes(bytes_max));
    let verifier = builder.build().unwrap();
    let hot: Vec<String> = (0..10).map(|_| setup.token()).collect();
    for _ in 0..3 {
        for token in &hot {
            assert!(verifier.verify(token).await.is_ok());
        }
    }
    for n in 0..1_000 {
        assert!(verifier.verify(&setup.token()).await.is_ok());
        if n % 10 == 0 {
            assert!(verifier.verify(&hot[n / 10 % 10]).await.is_ok());
        }
        assert!(setup.bytes() <= bytes_max as u64);
    }
    let before = setup.hits();
    for token in &hot {
        assert!(verifier.verify(token).await.is_ok());
    }
    assert_eq!(setup.hits() - before, 10);
    assert!(setup.evicted("size") > 500);
}

/// Rule 7.
#[tokio::test(start_paused = true)]
async fn a_huge_token_is_not_kept() {
    let setup = Setup::new();
    let verifier = setup.verifier();
    // Small as text and huge as a tree, if somebody asked for it.
    let objects: Vec<Value> = (0..40).map(|_| json!({ "a": 1 })).collect();
    let token = setup.issuer.token("7").audience("shop").claim("x", objects);
    let token = token.sign().unwrap();
    for _ in 0..2 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    assert_eq!((setup.hits(), setup.bytes()), (0, 0));
}

/// Rule 7.
#[tokio::test(start_paused = true)]
async fn hmac_tokens_are_neither_looked_for_nor_kept() {
    let setup = Setup::new();
    let secret = [7; 32];
    let key = HmacKey::hs256("h", &Secret::new(secret.to_vec())).unwrap();
    let keys = KeySet::new([Key::from(key)]).unwrap();
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let trusted = trusted.algorithms([Algorithm::Hs256]);
    let verifier = setup.builder(trusted).build().unwrap();
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    let claims = json!({ "iss": ISSUER, "sub": "7", "aud": "shop", "exp": NOW_S + 60 });
    let secret = jsonwebtoken::EncodingKey::from_secret(&secret);
    let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
    for _ in 0..2 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    assert_eq!((setup.hits(), setup.misses(), setup.bytes()), (0, 0, 0));
}

/// Cancel safety: a fetch that nobody waits for any more keeps and counts nothing.
#[tokio::test(start_paused = true)]
async fn a_verification_that_is_dropped_keeps_nothing() {
    let setup = Setup::new();
    let keys = RemoteKeys::new(std::future::pending::<Result<Bytes, JwksFetchError>>);
    let trusted = TrustedIssuer::new(ISSUER, keys).audience("shop");
    let verifier = setup.builder(trusted).build().unwrap();
    let mut waiting = Box::pin(verifier.verify(&setup.token()));
    assert!(poll(&mut waiting).is_none());
    drop(waiting);
    assert_eq!(setup.bytes(), 0);
    let accepted = r#"{reason="",result="accepted"}"#;
    assert_eq!(setup.counted("msf_auth_verifications_total", accepted), 0);
}

fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
